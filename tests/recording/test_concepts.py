"""Concept rows against the same rows in float64, made of the reference's own modules and dense attention."""

from copy import deepcopy

import pytest
import torch
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from diffusers import FirstBlockCacheConfig

import cogkit
from cogkit.recording.record import CachedSteps
from cogkit.recording.selectors import SelectorError
from cogkit.recording.tokens import UnknownWord
from cogkit.recording.visitor import RecordError

TEXT, GRID, HEADS = 16, (3, 2, 6), 2
WORDS = ["circle", "red square", "background"]  # two of them are not in the prompt
DENSE = [f"blocks.*.attn.{part}" for part in "qkvz"]


@torch.no_grad()
def dense_rows(pipe, run, keys):
    """(step, layer, head, video, concept) of outputs and of q k, by definition, from recorded q, k, v, z and temb."""
    model = deepcopy(pipe.transformer).double()
    ids = pipe.tokenizer([f"a {word}" for word in WORDS], padding="max_length", max_length=TEXT, return_tensors="pt")
    states = deepcopy(pipe.text_encoder).double()(ids.input_ids)[0]
    first = torch.stack([states[0, 1], states[1, 1:3].mean(0), states[2, 1]])
    outs, products = [], []
    for step in run["temb"].step.values:
        temb = torch.from_numpy(run["temb"].sel(step=step, branch="cond").values)[None].double()
        c = model.patch_embed.text_proj(first)[None]
        for layer, block in enumerate(model.transformer_blocks):
            there = {"step": step, "layer": layer, "branch": "cond"}
            k, v, z = (
                torch.from_numpy(run[f"attn.{part}"].sel(there).values).double()[:, TEXT:] for part in ("k", "v", "z")
            )
            _, normed, _, gate = block.norm1(c, c, temb)
            q, own_k, own_v = (
                project(normed)[0].unflatten(-1, (HEADS, -1)).transpose(0, 1)
                for project in (block.attn1.to_q, block.attn1.to_k, block.attn1.to_v)
            )
            q, own_k = block.attn1.norm_q(q), block.attn1.norm_k(own_k)
            everything = (torch.cat([own_k, k], 1), torch.cat([own_v, v], 1)) if keys else (k, v)
            o = (q @ everything[0].mT / 4).softmax(-1) @ everything[1]
            outs.append(o @ z.mT * HEADS / 32**0.5)
            products.append(q @ k.mT / 4)
            c = c + gate * block.attn1.to_out[0](o.transpose(0, 1).flatten(1)[None])
            _, normed, _, gate = block.norm2(c, c, temb)
            c = c + gate * block.ff(normed)
    shape = (len(run["temb"].step), len(model.transformer_blocks))
    return [torch.stack(found).unflatten(0, shape).mT for found in (outs, products)]


def recorded(pipe, generate, *more, **options):
    with cogkit.record(pipe, cogkit.concepts(*WORDS[:2], **options), *more) as rec:
        generate(pipe, height=32, width=96)
    return rec.run


@pytest.mark.parametrize("keys", [True, False], ids=["concepts see concepts", "concepts see video alone"])
def test_maps_of_concepts_are_those_of_dense_attention(tiny_pipe, generate, keys):
    pipe = tiny_pipe()
    run = recorded(pipe, generate, cogkit.acts("temb", *DENSE), heads="each", keys=keys)
    for name, exact in zip(("out", "qk"), dense_rows(pipe, run, keys), strict=True):
        found = run["concepts"][name].sel(branch="cond")
        assert found.dims == ("step", "layer", "head", "frame", "y", "x", "word")
        found = torch.from_numpy(found.values).double()
        torch.testing.assert_close(found, exact.unflatten(-2, GRID), atol=1e-4, rtol=1e-4)


def test_the_mean_over_heads_is_the_product_of_heads_put_together(pipe, generate):
    mean, each = recorded(pipe, generate)["concepts"], recorded(pipe, generate, heads="each")["concepts"]
    for name in ("out", "qk"):
        assert abs(each[name].mean("head") - mean[name]).max() < 1e-5


def test_the_map_of_a_concept_is_its_share_among_the_concepts_mean_over_calls(pipe, generate):
    run = recorded(pipe, generate)
    out = torch.from_numpy(run["concepts"].out.sel(branch="cond").values).double()
    exact = out.softmax(-1).mean((0, 1))
    found = run.word("red square", "concepts")
    assert found.dims == ("frame", "y", "x")
    assert run.word("red square").attrs["recipe"].startswith("concepts")  # without being asked: there is nothing else
    torch.testing.assert_close(torch.from_numpy(found.values), exact[..., 1], atol=1e-5, rtol=1e-4)
    assert abs(sum(run.word(word, "concepts qk") for word in WORDS) - 1).max() < 1e-6


def test_recorded_layers_are_slices_of_the_whole_and_the_video_is_the_same(pipe, generate):
    plain = generate(pipe, height=32, width=96)
    whole = recorded(pipe, generate)["concepts"].sel(layer=[1], step=[1])
    with cogkit.record(pipe, cogkit.concepts(*WORDS[:2], layers=1, steps=[1]), cogkit.acts("*")) as rec:
        assert torch.equal(generate(pipe, height=32, width=96), plain)
    assert rec.run["concepts"].out.identical(whole.out) and rec.run["concepts"].measured.all()


def test_twins_fused_projections_two_prompts_and_both_branches_give_concepts_too(tiny_pipe, generate):
    pipe = tiny_pipe()
    alone = recorded(pipe, generate)["concepts"].out.sel(branch="cond")
    with cogkit.swap(pipe):
        assert abs(recorded(pipe, generate)["concepts"].out.sel(branch="cond") - alone).max() < 1e-4
    pipe.transformer.fuse_qkv_projections()
    with cogkit.record(pipe, cogkit.concepts(*WORDS[:2], branch="both")) as rec:
        generate(pipe, height=32, width=96, prompt=["a red circle moving right, red", "a blue star"])
    found = rec.run["concepts"].out
    assert found.sizes["branch"] == found.sizes["sample"] == 2 and found.notnull().all()


@pytest.mark.parametrize("heads", ["mean", "each", [1]])
def test_some_heads_at_a_time_give_what_all_at_once_give(pipe, generate, heads):
    whole, parts = (recorded(pipe, generate, heads=heads, chunk=chunk)["concepts"] for chunk in (2**26, 1))
    for name in ("out", "qk"):
        assert abs(whole[name] - parts[name]).max() < 1e-5


def test_weights_that_come_with_the_forward_of_an_offloaded_transformer_are_there(tiny_pipe, generate):
    """As with enable_model_cpu_offload on a GPU: before the transformer's forward its weights are somewhere else."""
    pipe = tiny_pipe()
    plain = recorded(pipe, generate)["concepts"]
    add_hook_to_module(pipe.transformer, AlignDevicesHook("cpu", offload=True, place_submodules=True))
    assert pipe.transformer.patch_embed.text_proj.weight.is_meta
    assert recorded(pipe, generate)["concepts"].identical(plain)


def test_the_plan_knows_what_concepts_keep(pipe):
    with cogkit.record(pipe, cogkit.concepts("circle")) as rec:
        plan = rec.plan("a red circle", num_frames=9, height=64, width=64, num_inference_steps=2)
    assert plan.costs[0].kept == 2 * 4 * (2 * 2 * 3 * 4 * 4 * 2)  # out and qk, fp32, step layer frame y x word
    assert 0 < plan.share < 1


def test_one_concept_alone_and_a_template_without_a_place_are_refused():
    with pytest.raises(SelectorError, match="nothing to stand out from"):
        cogkit.concepts("background")
    with pytest.raises(SelectorError, match="must have one {}"):
        cogkit.concepts("circle", template="a circle")
    with pytest.raises(SelectorError, match="dtype='bfloat16': what is recorded is kept in numpy"):
        cogkit.concepts("circle", dtype="bfloat16")


def test_a_concept_that_the_tokenizer_does_not_know_is_refused_by_name(pipe, generate):
    with pytest.raises(UnknownWord, match="the tokenizer has no word 'cirkle'; nearest: circle"):
        with cogkit.record(pipe, cogkit.concepts("cirkle")):
            generate(pipe)


def test_behind_a_block_that_a_cache_skipped_nothing_is_made_up(tiny_pipe, generate):
    pipe = tiny_pipe(num_layers=3)
    pipe.transformer.enable_cache(FirstBlockCacheConfig(threshold=1e9))  # every step after the first is cached
    with pytest.warns(CachedSteps), cogkit.record(pipe, cogkit.concepts("circle")) as rec:
        generate(pipe)
    found = rec.run["concepts"]
    assert found.measured.values.tolist() == [[True] * 3, [True, False, False]]
    missing = found.out.isnull().all(["branch", "frame", "y", "x", "word"])
    assert (missing == ~found.measured).all() and not missing.isel(step=0).any()


def test_behind_attention_that_was_not_seen_nothing_is_made_up_though_later_attention_is(tiny_pipe, generate):
    pipe = tiny_pipe(num_layers=3)
    blind = pipe.transformer.transformer_blocks[1].attn1
    blind.forward = lambda hidden_states, encoder_hidden_states, **_: (hidden_states, encoder_hidden_states)
    with pytest.warns(CachedSteps), cogkit.record(pipe, cogkit.concepts("circle"), cogkit.maps("video->text")) as rec:
        generate(pipe)
    found = rec.run["concepts"]
    assert found.measured.values.tolist() == [[True, False, False]] * 2
    assert (found.out.isnull().all(["branch", "frame", "y", "x", "word"]) == ~found.measured).all()
    assert rec.run["video->text"].measured.values.tolist() == [[True, False, True]] * 2


def test_attention_that_is_not_seen_is_an_error_though_modulation_is(tiny_pipe, generate):
    pipe = tiny_pipe()
    for block in pipe.transformer.transformer_blocks:
        block.attn1.forward = lambda hidden_states, encoder_hidden_states, **_: (hidden_states, encoder_hidden_states)
    with pytest.raises(RecordError, match="'concepts' never fired"), cogkit.record(pipe, cogkit.concepts("circle")):
        generate(pipe)
