import pytest
import torch

import cogkit
from cogkit.interventions.editor import InterventionError

FRAME = slice(8, 16)  # tokens of latent frame 1


def double(value):
    return value * 2


def test_only_the_chosen_steps_branch_heads_and_tokens_change(pipe, generate):
    acts = cogkit.acts("blocks.0.attn.z", "blocks.0.resid_pre.video", branch="both")
    with cogkit.record(pipe, acts) as before:
        generate(pipe)
    where = {"steps": 0, "branch": "uncond", "tokens": cogkit.region(frames=1)}
    heads = cogkit.edit("blocks.0.attn.z", change=double, heads=[1], **where)
    with cogkit.record(pipe, acts) as after, cogkit.intervene(pipe, heads):
        generate(pipe)
    with (
        cogkit.record(pipe, acts) as stream,
        cogkit.intervene(pipe, cogkit.edit("blocks.0.resid_pre.video", change=double, **where)),
    ):
        generate(pipe)
    plain, edited = (torch.from_numpy(rec.run["attn.z"].values) for rec in (before, after))
    wanted = plain[0].clone()
    wanted[0, 0, 1, 16:][FRAME] *= 2
    assert torch.equal(edited[0], wanted)
    plain, edited = (torch.from_numpy(rec.run["resid_pre.video"].values) for rec in (before, stream))
    wanted = plain[0].clone()
    wanted[0, 0, 1] *= 2
    assert torch.equal(edited[0], wanted)


def test_edited_latents_are_those_of_a_run_that_began_with_them(pipe, generate):
    noise = torch.randn(1, 3, 16, 4, 8, generator=torch.Generator().manual_seed(3))
    halved = noise.clone()
    halved[:, :, :, :2] /= 2  # a row of patches
    half = cogkit.edit("latents", change=lambda x: x / 2, steps=0, tokens=cogkit.region(y=0))
    trajectory = cogkit.trajectory()
    with cogkit.record(pipe, trajectory) as plain:
        wanted = generate(pipe, latents=halved)
    with cogkit.record(pipe, trajectory) as edited, cogkit.intervene(pipe, half):
        assert torch.equal(generate(pipe, latents=noise), wanted)
    for name in ("latents", "x0"):
        assert plain.run[name].equals(edited.run[name])


def test_latents_beside_an_image_and_in_time_patches_can_be_edited(tiny_pipe, generate):
    for build in ({"kind": "I2V"}, {"patch_size_t": 2, "patch_bias": False}):
        pipe, call = tiny_pipe(**build), {}
        if build.get("kind"):
            call = {"image": torch.rand(1, 3, 32, 64, generator=torch.Generator().manual_seed(1))}
        frames, patch = (4, 2) if "patch_size_t" in build else (3, 1)
        noise = torch.randn(1, frames, 16, 4, 8, generator=torch.Generator().manual_seed(3))
        halved = noise.clone()
        halved[:, :patch] /= 2
        edit = cogkit.edit("latents", change=lambda x: x / 2, steps=0, tokens=cogkit.region(frames=0))
        wanted = generate(pipe, latents=halved, **call)
        with cogkit.intervene(pipe, edit):
            assert torch.equal(generate(pipe, latents=noise, **call), wanted)


def test_an_edited_model_output_is_what_the_sampler_steps_with(pipe, generate):
    step = pipe.scheduler.step
    pipe.scheduler.step = lambda v, *args, **more: step(v * 2, *args, **more)
    wanted = generate(pipe)
    del pipe.scheduler.step
    with cogkit.intervene(pipe, cogkit.edit("model_output", change=double)):
        assert torch.equal(generate(pipe), wanted)


@pytest.mark.parametrize(
    ("gated", "gate"),
    [("attn_out_gated", "adaln1.gate"), ("mlp_out_gated", "adaln2.gate")],
)
@pytest.mark.parametrize("stream", ["video", "text"])
def test_a_gated_output_that_is_doubled_is_one_whose_gate_is_doubled(pipe, generate, gated, gate, stream):
    with cogkit.intervene(pipe, cogkit.edit(f"blocks.0.{gate}.{stream}", change=double)):
        wanted = generate(pipe)
    with cogkit.intervene(pipe, cogkit.edit(f"blocks.0.{gated}.{stream}", change=double)):
        torch.testing.assert_close(generate(pipe), wanted, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(generate(pipe), wanted, atol=1e-4)


def test_edits_of_the_middle_and_of_gated_outputs_add_up(pipe, generate):
    points = "resid_pre.video", "resid_mid.video", "attn_out_gated.video", "mlp_out_gated.video", "resid_post.video"
    edits = [cogkit.edit(f"blocks.1.{name}.video", change=lambda x: x + 1) for name in ("attn_out_gated", "resid_mid")]
    edits.append(cogkit.edit("blocks.1.mlp_out_gated.video", change=lambda x: x * 3))
    acts = cogkit.acts(*(f"blocks.1.{name}" for name in points))
    with cogkit.record(pipe, acts) as rec, cogkit.intervene(pipe, *edits):
        generate(pipe)
    before, middle, attention, mlp, after = (rec.run[name] for name in points)
    assert abs(middle - (before + attention + 1)).max() < 1e-4
    assert abs(after - (middle + mlp)).max() < 1e-4


def test_a_change_of_another_shape_is_refused(pipe, generate):
    with pytest.raises(InterventionError, match=r"change gave \(1,\) for 'temb'; it must give a tensor of \(2, 16\)"):
        with cogkit.intervene(pipe, cogkit.edit("temb", change=lambda x: torch.ones(1))):
            generate(pipe)
    with pytest.raises(InterventionError, match="change gave NoneType"):
        with cogkit.intervene(pipe, cogkit.edit("temb", change=lambda x: None)):
            generate(pipe)


def test_a_label_of_ones_own_stands_for_the_function():
    first, second = (cogkit.edit("temb", change=lambda x, a=a: x * a, label="scale") for a in (1, 2))
    assert str(first) == str(second) == "edit<scale>('temb', branch=both)"


def test_two_functions_are_told_apart_and_one_is_always_the_same():
    first, second, third = (cogkit.edit("temb", change=f) for f in (lambda x: x * 2, lambda x: x * 2, lambda x: x * 3))
    assert str(first) == str(second) != str(third)
