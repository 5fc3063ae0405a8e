"""Pictures of data; no models in here. Every plot returns a matplotlib figure (a Picture), in one style.

    figure = cogkit.plots.word_map(run, "circle", over=clip)     # the last line of a cell: it shows itself
    cogkit.show(figure)          # PNG with alt text
    figure.alt, print(figure.table)   # the same in words, and in numbers

`run` is what `cogkit.record` gives (rec.run), or an array of its kind; a clip is uint8 frames (F, H, W, 3), numbers
from 0 to 1, or what a pipeline returned. Errors are PlotError, a ValueError that names the axis and the way out.

    filmstrips(clips, title="", columns=9)                          a clip, or clips by name, as rows of frames
    word_map(run, words, over=None, *, columns=7, **recipe)         words over the clip; recipe goes to run.word
    word_map(..., region=inside, score=auc)                         with an outline, and how well each map finds it
    word_video(run, word, over, **recipe)                           frames, for write_clip or a player
    head_atlas(run)                                                 every head: frame to frame, own frame, text
    frame_matrix(run, layers=None, heads=None)                      frame to frame, by layer
    adaln_gates(table_or_run, part="gate")                          layers by timesteps, both norms and streams
    latent_channels(latents, frame=-1)                              one latent frame, every channel
    latent_pca(latents, over=None, columns=7)                       three directions as red, green, blue
    latent_preview(latents, preview, over, columns=7)               cogkit.fit_preview against the clip
    trajectory_strip(run, colours=None, frame=-1, columns=10)       latents and x0 at every step
    difference_strip(one, other, labels=("one", "other"), columns=7)          two clips
    run_difference(one, other, labels=("one", "other"), colours=None, frame=-1, columns=10)   two runs, step by step
    training_curves(files, smooth=15)                               losses and scores of training runs
"""

import importlib

_HOME = {
    "filmstrips": "films",
    "word_map": "words",
    "word_video": "words",
    "head_atlas": "heads",
    "frame_matrix": "heads",
    "adaln_gates": "gates",
    "latent_channels": "latents",
    "latent_pca": "latents",
    "latent_preview": "latents",
    "trajectory_strip": "steps",
    "difference_strip": "difference",
    "run_difference": "difference",
    "training_curves": "curves",
    "fit_principal": "principal",
    "Picture": "figure",
    "PlotError": "figure",
    "describe": "figure",
    "alt_text": "figure",
}
__all__ = list(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"cogkit.plots has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"cogkit.plots.{_HOME[name]}"), name)


def __dir__():
    return __all__
