"""Sliders over the pictures: they connect controls to plots and have no logic of their own.

    cogkit.widgets.ReceptiveFieldExplorer()        # the last line of a cell: it shows itself

    ReceptiveFieldExplorer(frames=49)              which latent and pixel frames a frame changes, or knows of
    HaloExplorer()                                 one long video on several processes: what each owns, what it receives
    PatchExplorer()                                the pixels, frames and latents that a token stands for
    RopeExplorer(rotary, grid)                     how alike two places are, and the angles of a token
    GateExplorer(table)                            shift, scale and gate over the timesteps, channel by channel
    HeadExplorer(run)                              the heads of a layer at a step: frame to frame
    ScheduleExplorer()                             how much signal is left, and where the sampler stops
    SamplingExplorer(pipe)                         prompt, settings, Generate; then every step, word, head and layer

All but the last have `look`, the plain function behind it, `controls`, and `multiples(...)`:
several positions as a still picture.
"""

import importlib

_HOME = {
    "ReceptiveFieldExplorer": "receptive_field",
    "HaloExplorer": "halo",
    "PatchExplorer": "patches",
    "RopeExplorer": "rope",
    "GateExplorer": "gates",
    "HeadExplorer": "heads",
    "ScheduleExplorer": "schedule",
    "Explorer": "picture",
    "SamplingExplorer": "sampling_explorer",
}
__all__ = list(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"cogkit.widgets has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"cogkit.widgets.{_HOME[name]}"), name)


def __dir__():
    return __all__
