"""The sampling explorer, by its controls: Generate, Stop, scrub, pin, compare, copy as code, save."""

import re
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr
from diffusers import CogVideoXPipeline

from cogkit.generation import Settings, decode
from cogkit.recording.record import record
from cogkit.recording.selectors import trajectory
from cogkit.widgets.code import code_for
from cogkit.widgets.picture import as_html
from cogkit.widgets.sampling_explorer import SamplingExplorer
from cogkit.widgets.session import BUSY, BusyError, Session, kept_steps, looks

SHORT = Settings("a red circle moving right on a gray background", frames=9, height=64, width=64, steps=2)


def generated(explorer):
    explorer.generate.click()
    explorer.session.wait()
    return explorer


@pytest.fixture(scope="module")
def explorer(nano):
    return generated(SamplingExplorer(nano, SHORT))


def alt(widget):
    return re.findall('alt="([^"]*)"', widget.value)


def test_generate_shows_the_frames_the_judges_reading_and_a_view_in_words(explorer):
    assert "Done." in explorer.status.value and not explorer.generate.disabled and explorer.stop.disabled
    assert "The judge sees" in alt(explorer.result)[0] and SHORT.prompt in explorer.result.value
    assert "<video controls muted" in explorer.result.value and "autoplay" not in explorer.result.value
    assert alt(explorer.view) and 'role="status"' in explorer.view.value


@pytest.mark.parametrize("view", ["latents", "words", "heads", "modulation"])
def test_every_control_of_a_view_changes_what_is_said(explorer, view):
    explorer.scrubber.views.value = view
    for name in explorer.scrubber.choices:
        control, before = explorer.scrubber.controls[name], explorer.view.value
        options = [value for _, value in control.options] if isinstance(control.options[0], tuple) else control.options
        control.value = next(v for v in options[::-1] if v != control.value and not str(v).startswith("<"))
        assert explorer.view.value != before and 'role="alert"' not in explorer.view.value, name


def test_generate_pressed_twice_runs_once(nano):
    explorer = SamplingExplorer(nano, SHORT)
    explorer.generate.click()
    explorer.generate.click()
    assert "a run is under way" in explorer.status.value
    assert explorer.generate.disabled and not explorer.stop.disabled
    explorer.session.wait()
    assert explorer.session.made is not None and "Done." in explorer.status.value


def test_generate_pressed_while_a_run_is_stopping_does_not_let_it_go_on(nano):
    explorer = SamplingExplorer(nano, replace(SHORT, steps=50))
    explorer.generate.click()
    explorer.stop.click()
    explorer.generate.click()
    explorer.session.wait()
    assert "Stopped after step 1 of 50" in explorer.status.value and explorer.session.made is None


def test_stop_at_once_leaves_the_pipeline_as_it_was_and_the_next_run_is_the_same(nano, explorer):
    scheduler, frames = nano.scheduler, explorer.session.made.frames
    other = SamplingExplorer(nano, replace(SHORT, steps=50, sampler="dpm"))
    other.generate.click()
    other.stop.click()
    other.session.wait()
    assert "Stopped after step 1 of 50" in other.status.value and other.session.made is None
    assert nano.scheduler is scheduler and not nano.transformer._forward_pre_hooks
    assert np.array_equal(generated(SamplingExplorer(nano, SHORT)).session.made.frames, frames)


@pytest.mark.parametrize("pressed", ["before", "during"])
def test_stop_while_the_frames_are_decoded_shows_nothing_of_the_run(nano, pressed):
    explorer, decoder = SamplingExplorer(nano, SHORT), nano.vae.decoder
    hang = decoder.register_forward_pre_hook if pressed == "before" else decoder.register_forward_hook
    said = []

    def press(*_):
        explorer.stop.click()
        said.append(explorer.status.value)

    hook = hang(press)
    generated(explorer)
    hook.remove()
    assert "Stopping after these frames." in said[0]
    assert "Stopped while the frames were being decoded" in explorer.status.value
    assert explorer.session.made is None and not explorer.generate.disabled and not decoder._forward_pre_hooks


def test_stop_pressed_while_the_pictures_are_drawn_comes_too_late_and_says_nothing(nano, monkeypatch):
    explorer, said = SamplingExplorer(nano, SHORT), []

    def look():
        explorer.stop.click()
        said.append(explorer.status.value)

    monkeypatch.setattr(explorer, "look", look)
    generated(explorer)
    assert "Stopping" not in said[0] and "Done." in explorer.status.value and explorer.session.made is not None


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [("prompt", "", "empty"), ("steps", 7, "does not divide 1000"), ("frames", 10, "frames"), ("height", 60, "height")],
)
def test_a_setting_that_cannot_work_is_a_sentence_and_the_controls_stay_usable(nano, field, value, sentence):
    explorer = SamplingExplorer(nano, SHORT)
    explorer.form.controls[field].value = value
    generated(explorer)
    assert 'role="alert"' in explorer.status.value and sentence in explorer.status.value
    assert not explorer.generate.disabled


def test_a_thousand_steps_are_recorded_at_twenty_and_take_the_memory_of_twenty(nano):
    kept = kept_steps(replace(SHORT, steps=1000))
    assert len(kept) == 20 and kept[0] == 0 and kept[-1] == 999
    assert kept_steps(SHORT) == [0, 1]
    memory = []
    for settings in (replace(SHORT, steps=20), replace(SHORT, steps=1000)):
        with record(nano, trajectory(steps=kept_steps(settings)), *looks(settings)) as planning:
            size = dict(num_frames=settings.frames, height=settings.height, width=settings.width)
            memory.append(planning.plan(settings.prompt, num_inference_steps=settings.steps, **size).memory)
    assert memory[0] == memory[1]


def test_a_pinned_run_is_compared_with_the_next_and_plays_beside_it(nano, explorer):
    explorer.scrubber.views.value = "compared"
    explorer.pin.click()
    explorer.form.controls["noise"].value = "mirrored"
    generated(explorer)
    assert alt(explorer.view) and 'role="alert"' not in explorer.view.value
    shown = explorer.result.value
    assert shown.count("<video") == 1 and "<span>pinned</span><span>this run</span>" in shown
    assert re.search('aria-label="Left, the pinned run: the judge sees .+ Right, this run: it sees', shown)
    explorer.pin.click()
    assert explorer.result.value.count("<video") == 1 and "pinned" not in explorer.result.value
    explorer.form.controls["noise"].value = "as drawn"
    generated(explorer)


def test_without_a_pinned_run_the_comparison_says_what_to_do(nano):
    explorer = generated(SamplingExplorer(nano, SHORT))
    explorer.scrubber.views.value = "compared"
    assert "press “Pin this run”" in explorer.view.value


@pytest.mark.parametrize("view", ["latents", "words", "heads", "modulation", "compared"])
def test_the_copied_code_makes_the_run_and_the_picture_again(explorer, monkeypatch, view):
    explorer.pin.click()
    explorer.scrubber.views.value = view
    shown, names = [], {}
    monkeypatch.setattr("cogkit.show", shown.append, raising=False)
    exec(explorer.code.value, names)
    assert np.array_equal(names["made"].frames, explorer.session.made.frames)
    assert [as_html(figure, names["readout"]) for figure in shown] == [explorer.view.value]


def test_the_copied_code_goes_to_the_device_of_the_run(nano, explorer, monkeypatch):
    assert "pipe.to(" not in code_for(nano, explorer.session.made, "heads", {})
    monkeypatch.setattr(CogVideoXPipeline, "device", property(lambda pipe: torch.device("cuda:0")))
    lines = code_for(nano, explorer.session.made, "heads", {}).splitlines()
    loads = next(k for k, line in enumerate(lines) if line.startswith("pipe = cogkit.load("))
    assert lines[loads + 1] == 'pipe.to("cuda:0")'
    compile("\n".join(lines), "the cell", "exec")


def test_without_room_for_every_head_the_words_have_none_to_choose(nano, monkeypatch):
    monkeypatch.setattr("cogkit.widgets.session.BUDGET", 0)
    explorer = generated(SamplingExplorer(nano, SHORT))
    explorer.scrubber.views.value = "words"
    assert explorer.scrubber.controls["head"].layout.display == "none" and "head" not in explorer.scrubber.choices
    assert 'role="alert"' not in explorer.view.value and 'heads="mean"' in explorer.code.value
    explorer.scrubber.views.value = "heads"
    assert explorer.scrubber.controls["head"].layout.display is None


def test_x0_at_every_step_of_two_runs_is_compared_too(explorer):
    explorer.pin.click()
    explorer.scrubber.views.value = "compared"
    before = alt(explorer.view)
    explorer.scrubber.controls["steps"].value = "x0 at every step"
    assert alt(explorer.view) != before and "at 2 of 2 steps" in alt(explorer.view)[0]
    explorer.scrubber.controls["steps"].value = "the frames"


def test_a_run_whose_cell_was_run_again_is_stopped_from_the_new_explorer(nano):
    lost, new = SamplingExplorer(nano, replace(SHORT, steps=1000)), SamplingExplorer(nano, SHORT)
    lost.generate.click()
    new.generate.click()
    assert "wait for its end, or press Stop" in new.status.value and not new.stop.disabled
    new.stop.click()
    assert "The other run ends after its step" in new.status.value
    lost.session.wait()
    assert "Stopped after step" in lost.status.value
    assert "Done." in generated(new).status.value


def test_x0_is_decoded_where_the_pipeline_runs():
    class Elsewhere(CogVideoXPipeline):
        _execution_device, vae = torch.device("meta"), SimpleNamespace(dtype=torch.float16)

        def __init__(self):
            pass

        def decode_latents(self, latents):
            assert latents.device.type == "meta" and latents.dtype == torch.float16
            return torch.zeros(1, 3, 1, 8, 8)

    assert decode(Elsewhere(), torch.zeros(1, 16, 1, 1)).shape == (1, 8, 8, 3)


def test_a_saved_run_opens_again(explorer, tmp_path):
    explorer.folder.value = str(tmp_path / "kept")
    explorer.save.click()
    explorer.session.wait()
    assert "Saved: open" in explorer.status.value
    with xr.open_zarr(tmp_path / "kept" / "trajectory.zarr", consolidated=False) as saved:
        assert np.array_equal(saved["x0"], explorer.session.made.run["x0"])


def test_while_a_run_is_written_its_views_are_drawn(explorer, monkeypatch):
    drawn, order = threading.Event(), []

    def write(*_):
        drawn.wait(60)
        order.append("written")

    monkeypatch.setattr("cogkit.widgets.sampling_explorer.write_run", write)
    explorer.scrubber.views.value = "words"
    explorer.save.click()
    before, explorer.scrubber.views.value = explorer.view.value, "heads"
    order.append("drawn")
    drawn.set()
    explorer.session.wait()
    assert order == ["drawn", "written"] and explorer.view.value != before


def test_what_goes_wrong_in_the_thread_is_told_and_frees_the_pipeline(nano):
    told = []
    session = Session(nano, on_end=told.append)
    session.do(lambda: torch.zeros(2) @ torch.zeros(3))
    session.wait()
    assert isinstance(told[0], RuntimeError) and not BUSY.locked()


def test_one_thing_runs_at_a_time(nano):
    gate, session = threading.Event(), Session(nano)
    session.do(gate.wait)
    with pytest.raises(BusyError, match="a report is being drawn; wait for its end$"):
        Session(nano).do(gate.wait)
    gate.set()
    session.wait()


def test_every_control_has_a_label(explorer):
    controls = [*explorer.form.controls.values(), *explorer.scrubber.controls.values(), explorer.folder, explorer.code]
    assert all(control.description for control in controls)
