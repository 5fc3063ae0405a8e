"""Any pipeline, any way out: what is edited is edited, and nothing else is."""

import gc
import warnings
from contextlib import nullcontext

import diffusers
import pytest
import torch

import cogkit
from cogkit.interventions.editor import InterventionError
from cogkit.interventions.intervene import SkippedEdits
from cogkit.recording.modulation import ModulationError
from cogkit.recording.points import UnknownPoint, all_points
from cogkit.recording.record import CachedSteps
from cogkit.recording.tokens import UnknownWord

SWAP = cogkit.swap_prompt("a blue star", steps=1)
SOME = [cogkit.knock_out("red"), cogkit.ablate("blocks.1.attn.z", heads=[0]), SWAP]
STOPS = [ZeroDivisionError, KeyboardInterrupt, SystemExit]  # torch's own clean-up knows the first only


def raising(error):
    def fail(*_):
        raise error

    return fail


def traces(pipe):
    """Everything on the pipeline that an intervention could leave behind."""
    hooks = [
        (len(m._forward_hooks), len(m._forward_pre_hooks), len(m._forward_hooks_always_called), "forward" in vars(m))
        for m in pipe.transformer.modules()
    ]
    return hooks, set(vars(pipe)), set(vars(pipe.scheduler)), torch._C._len_torch_function_stack()


KINDS = {
    "text to video": ({}, {}),
    "image to video": ({"kind": "I2V"}, {}),
    "DPM scheduler": ({"scheduler": "CogVideoXDPMScheduler"}, {}),
    "patches in time": ({"patch_size_t": 2, "patch_bias": False}, {}),
    "batch of two": ({}, {"prompt": ["a red circle", "a blue circle"]}),
    "no guidance": ({}, {"guidance_scale": 1.0}),
    "sine positions": ({"use_rotary_positional_embeddings": False}, {"width": 32}),
    "embeddings": ({}, {"prompt": None}),
    "half precision": ({"dtype": torch.bfloat16}, {}),
}


@pytest.mark.parametrize("swapped", [False, True], ids=["stock", "twins"])
@pytest.mark.parametrize(("build", "call"), KINDS.values(), ids=KINDS)
def test_on_any_pipeline_identities_change_no_bit_and_a_word_can_be_masked_away(
    tiny_pipe, generate, dense_attention, build, call, swapped
):
    pipe, prompt = tiny_pipe(**build), None
    if build.get("kind") == "I2V":
        call = call | {"image": torch.rand(1, 3, 32, 64, generator=torch.Generator().manual_seed(1))}
    if call.get("prompt", "") is None:
        prompt = "a red circle"
        positive, negative = pipe.encode_prompt(prompt, max_sequence_length=16)
        call = call | {"prompt_embeds": positive, "negative_prompt_embeds": negative}
    with cogkit.swap(pipe, vae=False) if swapped else nullcontext():
        with cogkit.record(pipe, cogkit.acts("*", branch="both")) as rec:
            plain = generate(pipe, **call)
        points = [str(p) for p in all_points(2) if p.kind not in ("x0", "latents", "model_output")]
        same = [
            cogkit.patch(*points, from_=rec.run, branch="both"),
            cogkit.patch("latents", "model_output", from_=rec.run),
            cogkit.edit("*.attn.z", change=lambda value: value),
            cogkit.reweight({"circle": 1.0}),
        ]
        with cogkit.intervene(pipe), cogkit.intervene(pipe, *same, prompt=prompt):
            assert torch.equal(generate(pipe, **call), plain)

        guided = call.get("guidance_scale") is None
        samples = 2 if "prompt" in call and prompt is None else 1

        def masked(call, shape):
            weight = torch.ones(shape, dtype=torch.float64)
            weight[samples * guided :, :, :, 2] = 0  # "circle" is slot 2 of every prompt
            return weight, torch.ones(shape, dtype=torch.float64)

        with dense_attention(masked):
            wanted = generate(pipe, **call)
        with cogkit.intervene(pipe, cogkit.knock_out("circle"), prompt=prompt):
            found = generate(pipe, **call)
        close = {"atol": 5e-2, "rtol": 5e-2} if plain.dtype == torch.bfloat16 else {"atol": 1e-4, "rtol": 1e-3}
        torch.testing.assert_close(found, wanted, **close)
        assert not torch.equal(found, plain)


EVERY_SORT = [
    cogkit.knock_out("red"),
    cogkit.reweight({"circle": 2.0}, renormalise=False),
    cogkit.ablate("blocks.1.attn.z", heads=[0]),
    cogkit.edit("blocks.*.attn.q", change=lambda q: q * 1.1),
    cogkit.edit("blocks.1.mlp_out_gated.text", change=lambda x: x + 1),
    cogkit.modulate("blocks.*.adaln1.gate.text", times=0.5),
    SWAP,
]
FROZEN = cogkit.modulate("blocks.0.adaln2.scale.video", train_timestep=500)


def test_on_a_changed_transformer_an_intervention_is_what_it_is_on_a_plain_one(tiny_pipe, generate, change):
    changed, plain = tiny_pipe(), tiny_pipe()
    change(changed)
    if change.__name__ == "adapted":  # the plain one gets the adapter's product in its weights
        change(plain)
        plain.transformer.fuse_lora()
    unedited, before = generate(changed), traces(changed)
    with cogkit.record(plain, cogkit.acts("blocks.0.resid_post.video", branch="both")) as rec:
        generate(plain, seed=2)
    found, edits = [], [*EVERY_SORT, FROZEN]
    if change.__name__ == "sequential_offload":  # the weights that it is made of are nowhere between two calls
        edits.remove(FROZEN)
        with pytest.raises(ModulationError, match="call modulation_table before"), cogkit.intervene(changed, FROZEN):
            pass
    for pipe in (changed, plain):
        with cogkit.intervene(pipe, *edits, cogkit.patch("blocks.0.resid_post.video", from_=rec.run, steps=0)):
            found.append(generate(pipe))
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(found[0], unedited, atol=1e-2)
    assert traces(changed) == before and torch.equal(generate(changed), unedited)


@pytest.mark.parametrize("error", STOPS)
def test_nothing_is_left_behind_whatever_happens(pipe, generate, error):
    plain, before = generate(pipe), traces(pipe)
    with cogkit.intervene(pipe, *SOME):
        assert not torch.equal(generate(pipe), plain)
    assert traces(pipe) == before

    with pytest.raises(error), cogkit.intervene(pipe, *SOME):
        generate(pipe, callback_on_step_end=raising(error))
    assert traces(pipe) == before

    with pytest.raises(error), cogkit.intervene(pipe, cogkit.edit("blocks.1.attn.q", change=raising(error))):
        generate(pipe)
    assert traces(pipe) == before

    with pytest.raises(UnknownPoint), cogkit.intervene(pipe, SOME[0], cogkit.ablate("blocks.9.attn.z")):
        pass
    assert traces(pipe) == before
    assert torch.equal(generate(pipe), plain)


@pytest.mark.parametrize("error", STOPS)
def test_a_run_that_was_stopped_does_not_edit_the_next_one(pipe, generate, error):
    edit = cogkit.edit("blocks.*.attn.q", change=lambda q: q * 1.1)
    with pytest.warns(SkippedEdits), cogkit.intervene(pipe, edit):
        wanted = generate(pipe)
        handle = pipe.transformer.transformer_blocks[1].attn1.to_out[0].register_forward_hook(raising(error))
        with pytest.raises(error):
            generate(pipe)
        handle.remove()
        assert torch.equal(generate(pipe), wanted)


def test_interventions_act_in_the_order_given_and_recordings_see_what_they_made(pipe, generate):
    twice = cogkit.edit("blocks.0.resid_post.video", change=lambda x: x * 2)
    more = cogkit.edit("blocks.0.resid_post.video", change=lambda x: x + 1)
    acts = cogkit.acts("blocks.0.resid_post.video", steps=0)
    found = []
    for edits in ((), (twice, more), (more, twice)):
        with cogkit.record(pipe, acts) as rec, cogkit.intervene(pipe, *edits):  # the reader came first, and reads last
            generate(pipe)
        found.append(rec.run["resid_post.video"].values)
    plain, first, second = found
    assert abs(first - (plain * 2 + 1)).max() < 1e-4 and abs(second - (plain + 1) * 2).max() < 1e-4


def test_interventions_nest_and_serve_many_runs_and_pipelines(pipe, tiny_pipe, generate):
    both = [cogkit.knock_out("red"), cogkit.ablate("blocks.0.attn.z", heads=1)]
    with cogkit.intervene(pipe, *both):
        wanted = generate(pipe)
        assert torch.equal(generate(pipe), wanted)
    with cogkit.intervene(pipe, both[0]):
        with cogkit.intervene(pipe, both[1]):
            assert torch.equal(generate(pipe), wanted)
        only = generate(pipe)
    assert not torch.equal(only, wanted)
    other = tiny_pipe(num_layers=3)
    with cogkit.intervene(other, *both):
        assert not torch.equal(generate(other), generate(tiny_pipe(num_layers=3)))


def test_what_never_took_place_is_an_error_and_what_partly_did_a_warning(pipe, tiny_pipe, generate):
    with warnings.catch_warnings():
        warnings.simplefilter("error", SkippedEdits)  # what is not within a block counts, in the last step too
        with cogkit.intervene(pipe, cogkit.edit("model_output", "temb", "blocks.*.resid_mid.text", change=lambda x: x)):
            generate(pipe)
    with pytest.raises(InterventionError, match="ablate.*never took place.*no run in the block"):
        with cogkit.intervene(pipe, cogkit.ablate("blocks.0.attn.z")):
            pass
    cached = tiny_pipe(num_layers=3)
    cached.transformer.enable_cache(diffusers.FirstBlockCacheConfig(threshold=1e9))  # computes one block of later steps
    with pytest.warns(SkippedEdits, match="2 of 6 edits did not take place.*FirstBlockCache"):
        with cogkit.intervene(cached, cogkit.ablate("blocks.*.attn.z")):
            generate(cached)
    with pytest.warns(SkippedEdits, match="2 of 6 edits did not take place, or on a cache's values"):
        with cogkit.intervene(cached, cogkit.edit("blocks.*.resid_post.video", change=lambda x: x * 0.9)):
            generate(cached)
    blind = tiny_pipe()
    for block in blind.transformer.transformer_blocks:  # an attention without scaled_dot_product_attention
        block.attn1.forward = lambda hidden_states, encoder_hidden_states, **_: (hidden_states, encoder_hidden_states)
    with pytest.raises(InterventionError, match="reweight.*never took place.*scaled_dot_product_attention"):
        with cogkit.intervene(blind, cogkit.knock_out("red")):
            generate(blind)


@pytest.mark.parametrize("point", ["attn_out_gated", "resid_mid", "mlp_out_gated"])
def test_a_block_that_a_cache_skips_is_not_given_the_edit_of_the_step_before(tiny_pipe, generate, point):
    pipe = tiny_pipe(num_layers=3)
    pipe.transformer.enable_cache(diffusers.FirstBlockCacheConfig(threshold=1e9))
    acts = cogkit.acts("blocks.1.resid_pre.video", "blocks.1.resid_post.video")
    shift = cogkit.edit(f"blocks.1.{point}.video", change=lambda x: x + 1)
    with pytest.warns((CachedSteps, SkippedEdits)), cogkit.record(pipe, acts) as rec, cogkit.intervene(pipe, shift):
        generate(pipe)
    before, after = rec.run["resid_pre.video"].values, rec.run["resid_post.video"].values
    assert (before[0] != after[0]).any() and (before[1] == after[1]).all()


def test_embeddings_have_not_the_words_of_the_run_before(pipe, generate):
    positive, negative = pipe.encode_prompt("a blue star", max_sequence_length=16)
    embeds = {"prompt": None, "prompt_embeds": positive, "negative_prompt_embeds": negative}
    with pytest.raises(UnknownWord, match=r"got embeddings, words have no slots; give intervene\(prompt=...\)"):
        with cogkit.intervene(pipe, cogkit.knock_out("circle")):
            generate(pipe)
            generate(pipe, **embeds)
    with cogkit.intervene(pipe, cogkit.knock_out("star"), prompt="a blue star"):
        wanted = generate(pipe, **embeds)
        generate(pipe, prompt="the big red star")
        assert torch.equal(generate(pipe, **embeds), wanted)


@pytest.mark.parametrize(
    ("make", "error", "why"),
    [
        (lambda: cogkit.ablate("blocks.*.atn.z"), UnknownPoint, r"nearest: blocks\.\d\.attn\.z"),
        (lambda: cogkit.ablate("x0"), UnknownPoint, "can be recorded, not edited.*'model_output'"),
        (lambda: cogkit.edit("vae.decoder", change=abs), UnknownPoint, "can be recorded, not edited.*'latents'"),
        (lambda: cogkit.ablate("blocks.0.attn_out.video", heads=[1]), InterventionError, "they are at attn.q"),
        (lambda: cogkit.ablate("blocks.0.attn.z", heads=[2]), UnknownPoint, "heads=2 is out of range; there are 2"),
        (lambda: cogkit.ablate("temb", tokens=cogkit.region(frames=0)), InterventionError, "one vector for all tokens"),
        (lambda: cogkit.ablate("model_output", branch="uncond"), InterventionError, "has no branches"),
        (lambda: cogkit.ablate("blocks.0.attn.z", tokens="red"), InterventionError, "write cogkit.region"),
        (lambda: cogkit.ablate("embed.text", tokens=cogkit.region(frames=0)), InterventionError, "text only"),
        (lambda: cogkit.ablate("latents", tokens=cogkit.region(words="red")), InterventionError, "have no text"),
        (lambda: "blocks.0.attn.z", InterventionError, "is no intervention; use ablate"),
    ],
)
def test_what_this_model_does_not_have_is_refused_with_near_matches(pipe, generate, make, error, why):
    with pytest.raises(error, match=why), cogkit.intervene(pipe, make()):
        generate(pipe)


def test_an_unconditional_branch_without_guidance_is_refused(pipe, generate):
    with pytest.raises(ValueError, match="branch='uncond'.*without guidance"):
        with cogkit.intervene(pipe, cogkit.ablate("blocks.0.attn.z", branch="uncond")):
            generate(pipe, guidance_scale=1.0)


def test_fifty_interventions_in_a_row_keep_nothing(pipe, generate):
    def alive():
        gc.collect()
        return sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())

    for turn in range(50):
        with cogkit.intervene(pipe, cogkit.knock_out("red"), cogkit.ablate("blocks.1.attn.z")):
            generate(pipe, num_inference_steps=1)
        if turn == 1:
            before = alive()
    assert alive() <= before
