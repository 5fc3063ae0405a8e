import pytest
import torch

import cogkit
from cogkit.interventions.editor import InterventionError

TEXT = 16


def recorded(pipe, generate, *edits, points=("blocks.*.attn.z",), **call):
    with cogkit.record(pipe, cogkit.acts(*points, branch="both")) as rec, cogkit.intervene(pipe, *edits):
        video = generate(pipe, **call)
    return video, rec.run


def tensor(run, name):
    return torch.from_numpy(run[name].values.copy())


def test_a_zeroed_head_is_one_whose_columns_of_to_out_get_nothing(pipe, generate):
    handle = (
        pipe.transformer.transformer_blocks[1]
        .attn1.to_out[0]
        .register_forward_pre_hook(
            lambda module, args: (torch.cat([args[0][..., :16], torch.zeros_like(args[0][..., 16:])], -1),)
        )
    )
    wanted = generate(pipe)
    handle.remove()
    found, run = recorded(pipe, generate, cogkit.ablate("blocks.1.attn.z", heads=[1]))
    assert torch.equal(found, wanted) and not torch.equal(found, generate(pipe))
    z = tensor(run, "blocks.1.attn.z")
    assert (z[:, :, 1] == 0).all() and (z[:, :, 0] != 0).any()


def test_a_mean_is_over_the_ablated_tokens_text_and_video_apart(pipe, generate):
    _, before = recorded(pipe, generate)
    _, after = recorded(pipe, generate, cogkit.ablate("blocks.0.attn.z", heads=[0], mode="mean"))
    plain, found = (tensor(run, "blocks.0.attn.z")[0] for run in (before, after))
    for part in (slice(0, TEXT), slice(TEXT, None)):
        mean = plain[:, 0, part].mean(1, keepdim=True).expand_as(plain[:, 0, part])
        torch.testing.assert_close(found[:, 0, part], mean)
    assert torch.equal(found[:, 1], plain[:, 1])

    frame = cogkit.region(frames=1)
    _, after = recorded(pipe, generate, cogkit.ablate("blocks.0.attn.z", mode="mean", tokens=frame))
    found, inside = tensor(after, "blocks.0.attn.z")[0], slice(TEXT + 8, TEXT + 16)
    mean = plain[:, :, inside].mean(2, keepdim=True).expand_as(plain[:, :, inside])
    torch.testing.assert_close(found[:, :, inside], mean)
    assert torch.equal(found[:, :, : inside.start], plain[:, :, : inside.start])


def test_means_of_streams_and_latents_are_over_their_own_tokens(pipe, generate):
    points = ("blocks.0.resid_post.video", "model_output")
    _, before = recorded(pipe, generate, points=points)
    edits = [cogkit.ablate(point, mode="mean", steps=0) for point in points]
    _, after = recorded(pipe, generate, edits[0], points=points)
    plain, found = before["resid_post.video"][0], after["resid_post.video"][0]
    assert abs(found - plain.mean(("frame", "y", "x"))).max() < 1e-5
    _, after = recorded(pipe, generate, edits[1], points=points)
    plain, found = before["model_output"][0], after["model_output"][0]
    assert abs(found - plain.mean(("latent_frame", "y", "x"))).max() < 1e-5


def test_with_a_run_the_mean_is_over_its_samples_too(pipe, generate):
    _, donors = recorded(pipe, generate, prompt=["a blue star", "a green cross"])
    _, after = recorded(pipe, generate, cogkit.ablate("blocks.0.attn.z", heads=[1], mode="mean", from_=donors))
    z = tensor(donors, "attn.z")  # step, branch, sample, layer, head, token, channel
    found = tensor(after, "attn.z")
    for part in (slice(0, TEXT), slice(TEXT, None)):
        mean = z[:, :, :, 0, 1, part].mean((2, 3))[:, :, None].expand_as(found[:, :, 0, 1, part])
        torch.testing.assert_close(found[:, :, 0, 1, part], mean)


def test_resampling_draws_one_sample_of_the_run_for_all_points_by_seed(pipe, generate):
    _, donors = recorded(pipe, generate, prompt=["a blue star", "a green cross", "a red square"])
    z, drawn = tensor(donors, "attn.z"), set()
    for seed in range(6):
        edit = cogkit.ablate("blocks.*.attn.z", heads=[0], mode="resample", from_=donors, seed=seed)
        _, after = recorded(pipe, generate, edit)
        found = tensor(after, "attn.z")[:, :, :, 0]
        hits = [sample for sample in range(3) if torch.equal(found, z[:, :, sample, :, 0])]
        assert len(hits) == 1
        drawn |= set(hits)
    assert len(drawn) > 1


def test_what_an_ablation_lacks_is_named(pipe, generate):
    _, run = recorded(pipe, generate)
    with pytest.raises(InterventionError, match="mode='means' is unknown; nearest: mean"):
        cogkit.ablate("temb", mode="means")
    with pytest.raises(InterventionError, match="needs the run to draw from: from_=rec.run"):
        cogkit.ablate("temb", mode="resample")
    with pytest.raises(InterventionError, match="takes nothing from a run"):
        cogkit.ablate("blocks.0.attn.z", from_=run)
    with pytest.raises(InterventionError, match="'temb' has no tokens to take the mean of; give a run"):
        with cogkit.intervene(pipe, cogkit.ablate("temb", mode="mean")):
            pass
