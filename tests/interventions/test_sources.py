import diffusers
import pytest

import cogkit
from cogkit.interventions.editor import InterventionError
from cogkit.interventions.sources import Source
from cogkit.recording.record import CachedSteps
from cogkit.recording.runs import RunError

POINT = "blocks.0.resid_post.video"


@pytest.fixture(scope="module")
def run(pipe, generate):
    with cogkit.record(pipe, cogkit.acts(POINT, steps=0)) as rec:
        generate(pipe)
    return rec.run


@pytest.mark.parametrize(
    ("make", "error", "why"),
    [
        (lambda run: cogkit.patch("blocks.0.resid_pre.video", from_=run), RunError, "nearest: resid_post.video"),
        (lambda run: cogkit.patch("blocks.1.resid_post.video", from_=run), RunError, r"in layers \[0\], not in 1"),
        (lambda run: cogkit.patch(POINT, from_=run), InterventionError, r"at the steps \[0\], not at \[1\]"),
        (lambda run: cogkit.patch(POINT, from_=run, from_step=1), InterventionError, r"not at \[1\]"),
        (
            lambda run: cogkit.patch(POINT, from_=run, steps=0, branch="both"),
            InterventionError,
            r"in branch \['cond'\], not in \['uncond'\]; record with branch='both'",
        ),
        (lambda run: cogkit.patch(POINT, from_=run["resid_post.video"]), InterventionError, "from_ is a DataArray"),
    ],
)
def test_what_a_run_does_not_hold_is_refused(pipe, generate, run, make, error, why):
    with pytest.raises(error, match=why), cogkit.intervene(pipe, make(run)):
        generate(pipe)


def test_a_run_of_another_size_is_refused(pipe, generate, run):
    with pytest.raises(InterventionError, match="'resid_post.video' was recorded with the shape .*same size"):
        with cogkit.intervene(pipe, cogkit.patch(POINT, from_=run, steps=0)):
            generate(pipe, num_frames=5)


def test_what_a_cache_put_in_the_place_of_a_value_is_no_source(tiny_pipe, generate):
    pipe, point = tiny_pipe(num_layers=3), "blocks.1.resid_post.video"
    pipe.transformer.enable_cache(diffusers.FirstBlockCacheConfig(threshold=1e9))
    with pytest.warns(CachedSteps), cogkit.record(pipe, cogkit.acts(point)) as rec:
        generate(pipe)
    pipe.transformer.disable_cache()
    with cogkit.intervene(pipe, cogkit.patch(point, from_=rec.run, steps=0)):
        generate(pipe)
    with pytest.raises(InterventionError, match="was not computed in all of these steps"):
        with cogkit.intervene(pipe, cogkit.patch(point, from_=rec.run)):
            generate(pipe)


def test_what_a_run_that_was_cut_short_never_held_is_no_source(pipe, generate):
    def fail(pipe, step, train_timestep, held):
        raise ZeroDivisionError

    points = "temb", "model_output"  # not within a block: nothing says whether they were measured
    with pytest.raises(ZeroDivisionError), cogkit.record(pipe, cogkit.acts(*points)) as rec:
        generate(pipe, callback_on_step_end=fail)
    for point in points:
        with cogkit.intervene(pipe, cogkit.patch(point, from_=rec.run, steps=0)):
            generate(pipe)
        with pytest.raises(InterventionError, match=f"{point!r} is NaN at step 1 of that run.*cut short.*another run"):
            with cogkit.intervene(pipe, cogkit.patch(point, from_=rec.run)):
                generate(pipe)


def test_runs_are_told_apart_by_what_is_in_them(pipe, generate, run):
    def again(**call):
        with cogkit.record(pipe, cogkit.acts(POINT, steps=0)) as rec:
            generate(pipe, **call)
        return Source.describe(rec.run)

    assert again() == Source.describe(run) != again(seed=1)
