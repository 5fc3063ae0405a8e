"""What another run had, put into this one: in full it must become that run, in part only that part."""

import pytest
import torch

import cogkit
from cogkit.interventions.editor import InterventionError

OTHER = "a blue star growing"
STREAMS = ("video", "text")


def recorded(pipe, generate, *points, edits=(), **call):
    with cogkit.record(pipe, cogkit.acts(*points, branch="both")) as rec, cogkit.intervene(pipe, *edits):
        video = generate(pipe, **call)
    return video, rec.run


FULL = {
    "the prompt's embeddings": ["prompt_embeds"],
    "the embedded text": ["embed.text"],
    "the residuals before block 0": ["blocks.0.resid_pre.video", "blocks.0.resid_pre.text"],
    "the residuals in the middle of block 1": ["blocks.1.resid_mid.video", "blocks.1.resid_mid.text"],
    "the residuals after block 0": ["blocks.0.resid_post.video", "blocks.0.resid_post.text"],
    "what the head of the model gets": ["final.norm"],
    "the velocity": ["model_output"],
}


@pytest.mark.parametrize("points", FULL.values(), ids=FULL)
def test_a_run_that_is_given_all_of_another_prompt_s_stream_becomes_that_run(pipe, generate, points):
    wanted, run = recorded(pipe, generate, *points, prompt=OTHER)
    assert not torch.equal(generate(pipe), wanted)
    branch = "cond" if points == ["model_output"] else "both"
    with cogkit.intervene(pipe, cogkit.patch(*points, from_=run, branch=branch)):
        found = generate(pipe)
    # the middle of a block goes on as a difference to what it was, hence the last bits
    torch.testing.assert_close(found, wanted, atol=1e-5 if "mid" in points[0] else 0, rtol=0)


def test_latents_of_another_seed_at_the_last_step_give_its_video(pipe, generate):
    with cogkit.record(pipe, cogkit.trajectory()) as rec:
        wanted = generate(pipe, seed=5)
    with cogkit.intervene(pipe, cogkit.patch("latents", from_=rec.run, steps=-1)):
        assert torch.equal(generate(pipe), wanted)


def test_steps_layers_heads_branch_and_region_bound_what_is_patched(pipe, generate):
    _, source = recorded(pipe, generate, "blocks.*.attn.z", prompt=OTHER, seed=1)
    _, before = recorded(pipe, generate, "blocks.*.attn.z")
    where = {"steps": [0], "heads": [1], "branch": "cond", "tokens": cogkit.region(frames=2, words="circle")}
    _, after = recorded(
        pipe, generate, "blocks.*.attn.z", edits=[cogkit.patch("blocks.0.attn.z", from_=source, **where)]
    )
    there, plain, found = (torch.from_numpy(run["attn.z"].values) for run in (source, before, after))
    wanted = plain[0, :, 0].clone()
    for token in [2, *range(16 + 16, 16 + 24)]:
        wanted[1, 1, token] = there[0, 1, 0, 1, token]
    assert torch.equal(found[0, :, 0], wanted)
    assert torch.equal(found[0, 0, 1], plain[0, 0, 1])  # the other branch goes on untouched


def test_one_step_of_a_run_can_go_into_all_steps(pipe, generate):
    point = "blocks.0.adaln1.gate.video"
    _, run = recorded(pipe, generate, point)
    _, after = recorded(pipe, generate, point, edits=[cogkit.patch(point, from_=run, from_step=0, branch="both")])
    there, found = run["adaln1.gate.video"].values, after["adaln1.gate.video"].values
    assert (found == there[:1]).all() and (found[1] != there[1]).any()


def test_samples_go_one_to_one_or_one_to_all(pipe, generate):
    point, prompts = "blocks.0.resid_post.text", ["a red circle", "a blue star"]
    _, two = recorded(pipe, generate, point, prompt=["a green cross", OTHER])
    _, one = recorded(pipe, generate, point, prompt=OTHER)

    def patched(run, **more):
        edits = [cogkit.patch(point, from_=run, branch="both", **more)]
        return recorded(pipe, generate, point, edits=edits, prompt=prompts)[1]["resid_post.text"].values

    there = two["resid_post.text"].values
    assert (patched(two) == there).all()
    assert (patched(two, from_sample=1) == there[:, :, [1, 1]]).all()
    # recorded in a batch of one: batch size moves the last bits of a matrix product, not the patch
    assert (patched(one) == one["resid_post.text"].values[:, :, None]).all()
    with pytest.raises(InterventionError, match="that run has 2 samples, this one 1; choose one: from_sample="):
        with cogkit.intervene(pipe, cogkit.patch(point, from_=two)):
            generate(pipe)
    with pytest.raises(LookupError, match="from_sample=2 is out of range; there are 2: 0 to 1"):
        with cogkit.intervene(pipe, cogkit.patch(point, from_=two, from_sample=2)):
            generate(pipe)


def test_a_run_on_the_disk_serves_as_well(pipe, generate, tmp_path):
    with cogkit.record(pipe, cogkit.acts("prompt_embeds", branch="both"), sink=tmp_path / "run"):
        wanted = generate(pipe, prompt=OTHER)
    with cogkit.intervene(pipe, cogkit.patch("prompt_embeds", from_=cogkit.open_run(tmp_path / "run"))):
        assert torch.equal(generate(pipe), wanted)
