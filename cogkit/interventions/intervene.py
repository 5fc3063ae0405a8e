"""`intervene`: within the block every run of a pipeline is edited; after it nothing is left behind."""

import warnings
from contextlib import contextmanager

from cogkit.interventions.editor import Intervention, InterventionError
from cogkit.recording.layout import anatomy
from cogkit.recording.record import CAUSES
from cogkit.recording.taps import visiting


class SkippedEdits(UserWarning):
    """Some edits did not take place, because what they were to change was not computed."""


@contextmanager
def intervene(pipe, *interventions, prompt: str | list[str] | None = None):
    """Edit every run of `pipe`, any diffusers CogVideoX pipeline, within the block.

    The interventions act in the order given, and all before any `record` reads, whichever was entered first. `prompt`
    is only needed when the pipeline is called with embeddings and an intervention names words. With no interventions
    the video is the same to the bit.
    Raises UnknownPoint, UnknownWord, RegionError, InterventionError, before the first step is computed, and
    InterventionError at exit for an intervention that never took place. Warns SkippedEdits if only some of it did.
    """
    for intervention in interventions:
        if not isinstance(intervention, Intervention):
            raise InterventionError(f"{intervention!r} is no intervention; use ablate(), patch(), reweight(), ...")
    anatomy(pipe)  # raises PipelineError
    editors = [intervention.editor(pipe) for intervention in interventions]
    with visiting(pipe, *editors, prompt=prompt):
        yield
    for intervention, editor in zip(interventions, editors, strict=True):
        if not editor.done:
            raise InterventionError(f"{intervention} never took place. Likely causes: no run in the block, or {CAUSES}")
        if editor.done < editor.due:
            missing = f"{editor.due - editor.done} of {editor.due} edits did not take place, or on a cache's values"
            warnings.warn(f"{intervention}: {missing}. Likely causes: {CAUSES}", SkippedEdits, 3)
