import pytest
import torch

import cogkit
from cogkit.interventions.editor import InterventionError


def recorded(pipe, generate, *edits, points):
    with cogkit.record(pipe, cogkit.acts(*points, branch="both")) as rec, cogkit.intervene(pipe, *edits):
        generate(pipe)
    return rec.run


def test_with_all_its_gates_shut_a_block_does_nothing(pipe, generate):
    points = [f"blocks.1.{name}.{stream}" for name in ("resid_pre", "resid_post") for stream in ("video", "text")]
    run = recorded(pipe, generate, cogkit.modulate("blocks.1.adaln*.gate.*", times=0), points=points)
    for stream in ("video", "text"):
        assert run[f"resid_pre.{stream}"].equals(run[f"resid_post.{stream}"])


def test_vectors_are_multiplied_then_added_to_in_some_channels_steps_and_branch(pipe, generate):
    points = ["blocks.0.adaln1.shift.text"]
    edit = cogkit.modulate(*points, times=2, add=0.5, channels=[0, 3], steps=1, branch="cond")
    plain, found = (recorded(pipe, generate, *e, points=points)["adaln1.shift.text"] for e in ((), (edit,)))
    wanted = plain.values.copy()
    wanted[1, 1, ..., [0, 3]] = wanted[1, 1, ..., [0, 3]] * 2 + 0.5
    assert (found.values == wanted).all()


def test_modulation_can_be_that_of_another_timestep_for_the_whole_run(pipe, generate):
    points = ["blocks.*.adaln*.*.*"]
    run = recorded(pipe, generate, cogkit.modulate(*points, train_timestep=500), points=points)
    table = cogkit.modulation_table(pipe, [500]).isel(train_timestep=0)
    for norm in (1, 2):
        for part in ("shift", "scale", "gate"):
            for stream in ("video", "text"):
                found = run[f"adaln{norm}.{part}.{stream}"]
                wanted = table.sel(norm=norm, part=part, stream=stream)
                assert (abs(found - wanted.drop_vars(["norm", "part", "stream"])) == 0).all()


def test_the_modulation_of_its_own_timestep_is_no_change(pipe, generate):
    plain = generate(pipe)
    times = pipe.scheduler.timesteps.tolist()
    edits = [cogkit.modulate("blocks.*.adaln*", train_timestep=time, steps=k) for k, time in enumerate(times)]
    with cogkit.intervene(pipe, *edits):
        torch.testing.assert_close(generate(pipe), plain, atol=1e-5, rtol=0)
    assert len(edits) == 2


def test_what_is_no_modulation_is_refused(pipe, generate):
    with pytest.raises(InterventionError, match="changes nothing; give times="):
        cogkit.modulate("blocks.*.adaln1.gate.video")
    with pytest.raises(InterventionError, match=r"'blocks.0.attn.z' is no AdaLN vector.*or use edit\(\)"):
        with cogkit.intervene(pipe, cogkit.modulate("blocks.0.attn.z", times=0)):
            pass
    with pytest.raises(LookupError, match="channels=32 is out of range"):
        with cogkit.intervene(pipe, cogkit.modulate("blocks.0.adaln*", times=0, channels=32)):
            pass
    with pytest.raises(ValueError, match="must be train timesteps from 0 to 999"):
        with cogkit.intervene(pipe, cogkit.modulate("blocks.0.adaln*", train_timestep=1000)):
            pass
