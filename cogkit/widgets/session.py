"""The logic of the sampling explorer, without a widget: one run at a time in a thread, stopped, pinned, compared."""

import threading
import time
import warnings
from collections.abc import Callable

from diffusers import CogVideoXPipeline

from cogkit.generation import Generation, Settings, check_settings, generate
from cogkit.plots.strips import even
from cogkit.prompts import UnknownWords
from cogkit.recording.record import record
from cogkit.recording.selectors import acts, maps

KEPT = 20  # steps that are recorded, evenly spread: a run of 1000 is no larger than one of 20
BUDGET = 10**9  # bytes: from there on the heads are averaged
BUSY = threading.Lock()  # a pipeline runs one thing at a time, and so does this machine
RUN, REPORT = "a run is under way; wait for its end, or press Stop", "a report is being drawn; wait for its end"
DECODER = "the decoder is at work; draw x0 by the linear map, or wait"


class BusyError(ValueError):
    """Something is running already."""


class Stopped(Exception):
    """Stop was pressed."""


def kept_steps(settings: Settings) -> list[int]:
    return even(settings.steps, KEPT)


def looks(settings: Settings, heads: str = "each") -> tuple:
    """What the explorer records besides the trajectory: all that can be scrubbed through."""
    steps = kept_steps(settings)
    return (
        maps("video->text", heads=heads, steps=steps),
        maps("text->video", heads=heads, steps=steps),
        maps("frame->frame", steps=steps),
        acts("blocks.*.adaln?.*", steps=steps),
    )


def heads_within(pipe: CogVideoXPipeline, settings: Settings) -> str:
    """ "each", or "mean" where every head of every step would take more bytes than the budget."""
    with record(pipe, *looks(settings)) as planning:
        plan = planning.plan(
            settings.prompt,
            num_frames=settings.frames,
            height=settings.height,
            width=settings.width,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance,
        )
    return "each" if plan.memory <= BUDGET else "mean"


class Session:
    """Runs of one pipeline. `made` is the last, `pinned` the one that it is compared with.

    One thing runs at a time, whichever session began it: `at_work` is that session, and any may stop it.
    `on_step(done, steps, seconds_left)` and `on_end(error)` are called from the thread; `error` is None, or what ended
    the run: Stopped, a refused setting, or anything else. Nothing is raised there, where nobody would see it.
    """

    at_work: "Session | None" = None

    def __init__(self, pipe: CogVideoXPipeline, on_step: Callable = lambda *_: None, on_end: Callable = lambda _: None):
        self.pipe, self.on_step, self.on_end = pipe, on_step, on_end
        self.made: Generation | None = None
        self.pinned: Generation | None = None
        self._stop = threading.Event()
        self.doing = RUN
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self, settings: Settings) -> None:
        """Begin a run, and return at once. Raises BusyError; what is wrong with the settings is told to `on_end`."""

        def work():
            self.made = self._generate(settings)

        self.do(work, RUN)

    def do(self, work: Callable[[], None], doing: str = REPORT) -> None:
        """`work()` in the thread, while nothing else uses the pipeline; who wants to meanwhile is told `doing`."""
        if not BUSY.acquire(blocking=False):
            raise BusyError(Session.at_work.doing if Session.at_work else DECODER)
        Session.at_work, self.doing = self, doing
        self._stop.clear()
        self._thread = threading.Thread(target=self._guarded, args=(work,), name="cogkit-explorer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The run ends after its step, or after what is in the decoder; `pipe` and `made` are as they were before.

        It need not be ours: after its cell was run again, a run that goes on has lost its own Stop.
        """
        (Session.at_work or self)._stop.set()

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def pin(self) -> None:
        self.pinned = self.made

    def _guarded(self, work: Callable[[], None]) -> None:
        error = None
        try:
            work()
        except BaseException as found:  # a thread has nobody else to tell
            error = found
        finally:
            Session.at_work = None
            BUSY.release()
        self.on_end(error)

    def _generate(self, settings: Settings) -> Generation:
        bars = getattr(self.pipe, "_progress_bar_config", {})
        began = time.monotonic()

        def heed(where: str) -> None:
            if self._stop.is_set():
                raise Stopped(f"Stopped {where}")

        def told(step: int) -> None:
            done = step + 1
            heed(f"after step {done} of {settings.steps}")
            self.on_step(done, settings.steps, (time.monotonic() - began) / done * (settings.steps - done))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnknownWords)  # the explorer names them beside the prompt
            check_settings(self.pipe, settings)
            selectors = looks(settings, heads_within(self.pipe, settings))
            self.pipe.set_progress_bar_config(disable=True)
            decoding = "while the frames were being decoded"
            chunks = self.pipe.vae.decoder.register_forward_pre_hook(lambda *_: heed(decoding))
            try:
                made = generate(self.pipe, settings, *selectors, steps=kept_steps(settings), on_step=told)
            finally:
                chunks.remove()
                self.pipe._progress_bar_config = bars
        heed(decoding)  # pressed during the last chunk
        return made
