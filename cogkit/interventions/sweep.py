"""Many interventions over many seeds: does it matter, and for more than one clip?"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property, partial
from hashlib import sha1
from pathlib import Path

import torch
from tqdm.auto import tqdm

from cogkit.clips import to_frames
from cogkit.interventions.editor import Intervention, InterventionError
from cogkit.interventions.effects import LEAST_SEEDS, PLAIN, EffectError, Effects, read_effects, read_rows
from cogkit.interventions.intervene import intervene
from cogkit.interventions.labels import UNTOLD
from cogkit.jsonl import add_line
from cogkit.recording.weights import fingerprint

Settings = Mapping[str, object]


class Trial:
    """One clip of a sweep, for a metric to judge. `plain` is the unedited one of its seed, made when asked for."""

    def __init__(self, name: str, seed: int, settings: Settings, frames, make_plain: Callable):
        self.name, self.seed, self.settings, self.frames, self._make_plain = name, seed, settings, frames, make_plain

    @cached_property
    def plain(self):
        return self.frames if self.name == PLAIN else self._make_plain()


def sweep(
    pipe,
    interventions: Mapping[str, Intervention | Sequence[Intervention]],
    metric: Callable[[Trial], float | Mapping[str, float]],
    seeds: Iterable[int],
    log: str | Path,
    settings: Settings | Callable[[int], Settings],
    progress: bool = True,
) -> Effects:
    """Run `pipe` unedited and under every intervention, for every seed, and compare what `metric` says.

    `settings`: the pipeline call's arguments (prompt, num_inference_steps, ...), or a function of the seed that gives
    them, so that each seed can have its own prompt. `metric` gets a Trial: `frames` (uint8, F H W 3; what the pipeline
    gives if settings have an output_type), `plain`, `seed`, `settings`; it returns a number, or several by name.
    `cogkit.judged(scenes)` is one, and goes with others:

        def metric(trial):
            change = np.abs(trial.frames - trial.plain.astype(float)).mean()
            return cogkit.judged(scenes)(trial) | {"change": change}

    Each result is appended to `log` (JSON lines) at once; the same call goes on where a stopped one was. Seeds are the
    outer loop, so a log cut short compares all interventions. A metric that was changed needs a new log.
    Raises EffectError for fewer than three seeds, for several clips a seed and for a log of other settings,
    interventions or weights; InterventionError for an edit that needs a label; what `intervene` raises.
    """
    seeds, log = list(dict.fromkeys(int(seed) for seed in seeds)), Path(log)
    if len(seeds) < LEAST_SEEDS:
        raise EffectError(f"seeds={seeds}: that is an anecdote, not an effect; give {LEAST_SEEDS} at least, better 20")
    edits = {name: (one,) if isinstance(one, Intervention) else tuple(one) for name, one in interventions.items()}
    if PLAIN in edits or not edits:
        raise InterventionError(f"interventions={list(edits)}: give one at least; {PLAIN!r} is the unedited run's name")
    calls = {seed: dict(settings(seed) if callable(settings) else settings) for seed in seeds}
    edits = {PLAIN: (), **edits}
    labels = {name: "; ".join(map(str, one)) for name, one in edits.items()}
    for name, label in labels.items():
        if f"edit<{UNTOLD}>" in label:
            why = "runs a function that holds more than numbers, arrays and functions: a log cannot tell it from others"
            raise InterventionError(f"{name!r} {why}; name it: edit(..., label='...')")
    weights = fingerprint(pipe)
    wanted = {(name, seed): (labels[name], _digest(calls[seed])) for seed in seeds for name in edits}
    for row in read_rows(log):
        if row.get("weights") != weights:
            raise EffectError(f"{log} has rows of other weights ({row.get('weights')}, not {weights}); give a new file")
        key = row["intervention"], row["seed"]
        if wanted.get(key, (row["what"], row["settings"])) != (row["what"], row["settings"]):
            raise EffectError(f"{log} has {key[0]!r} at seed {key[1]} with other settings; give a new file")
        wanted.pop(key, None)
    with _quiet(pipe), tqdm(total=len(wanted), disable=not progress, unit="clip") as bar:
        for seed in seeds:
            plain = cache(partial(_generate, pipe, (), calls[seed], seed))
            for name, one in edits.items():
                if (name, seed) not in wanted:
                    continue
                bar.set_description(f"{name}, seed {seed}")
                frames = plain() if name == PLAIN else _generate(pipe, one, calls[seed], seed)
                found = _numbers(metric(Trial(name, seed, calls[seed], frames, plain)))
                what, digest = wanted[name, seed]
                row = {"intervention": name, "seed": seed, "metrics": found, "what": what, "settings": digest}
                add_line(log, row | {"weights": weights})
                bar.update()
    return read_effects(log)


@torch.no_grad()
def _generate(pipe, edits: Sequence[Intervention], settings: Settings, seed: int):
    with intervene(pipe, *edits):
        call = {"output_type": "pt"} | dict(settings)
        video = pipe(**call, generator=torch.Generator().manual_seed(seed)).frames
    if len(video) != 1:
        raise EffectError(f"these settings give {len(video)} clips at seed {seed}; a sweep judges one: give one prompt")
    return to_frames(video.transpose(1, 2) * 2 - 1)[0] if call["output_type"] == "pt" else video[0]


def _numbers(found) -> dict[str, float]:
    found = found if isinstance(found, Mapping) else {"metric": found}
    try:
        return {str(name): float(value) for name, value in found.items()}
    except (TypeError, ValueError):
        raise EffectError(f"the metric gave {found!r}; give a number, or numbers by name") from None


def _digest(settings: Settings) -> str:
    """The same for the same call; images and tensors count by what is in them."""
    found = sha1()
    for name in sorted(settings):
        value = settings[name]
        value = value.detach().cpu().float().numpy() if isinstance(value, torch.Tensor) else value
        found.update(repr(name).encode() + (value.tobytes() if hasattr(value, "tobytes") else repr(value).encode()))
    return found.hexdigest()[:12]


@contextmanager
def _quiet(pipe):
    """One progress bar, not one for every clip too."""
    before = getattr(pipe, "_progress_bar_config", None)
    pipe.set_progress_bar_config(**(before or {}) | {"disable": True})
    try:
        yield
    finally:
        pipe._progress_bar_config = before
        if before is None:
            del pipe._progress_bar_config
