import gc
import threading
import tracemalloc

import diffusers
import pytest
import torch

import cogkit
from cogkit.recording.act_recorder import BranchError
from cogkit.recording.layout import PipelineError
from cogkit.recording.plan import BudgetError
from cogkit.recording.points import UnknownPoint
from cogkit.recording.record import CachedSteps
from cogkit.recording.selectors import SelectorError
from cogkit.recording.tokens import UnknownWord
from cogkit.recording.visitor import RecordError

SELECTORS = {
    "video->text": lambda: cogkit.maps("video->text", words=["circle"]),
    "text->video": lambda: cogkit.maps("text->video", words=["circle"]),
    "video->video": lambda: cogkit.maps("video->video", queries=[(0, 1, 2)]),
    "frame->frame": lambda: cogkit.maps("frame->frame"),
    "concepts": lambda: cogkit.concepts("circle"),
    "acts": lambda: cogkit.acts("*"),
    "trajectory": lambda: cogkit.trajectory(model_output=True),
}
ALL = [make() for make in SELECTORS.values()]


def traces(pipe):
    """Everything on the pipeline that a recording could leave behind."""
    hooks = [
        (len(m._forward_hooks), len(m._forward_pre_hooks), len(m._forward_hooks_always_called), "forward" in vars(m))
        for m in pipe.transformer.modules()
    ]
    return hooks, set(vars(pipe)), set(vars(pipe.scheduler)), torch._C._len_torch_function_stack()


@pytest.mark.parametrize("selector", SELECTORS.values(), ids=SELECTORS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_the_video_is_the_same_to_the_bit(tiny_pipe, generate, selector, dtype):
    pipe = tiny_pipe(dtype=dtype)
    plain = generate(pipe)
    with cogkit.record(pipe, selector()):
        recorded = generate(pipe)
    assert torch.equal(plain, recorded)


KINDS = {
    "image to video": ({"kind": "I2V"}, {}),
    "DPM scheduler": ({"scheduler": "CogVideoXDPMScheduler"}, {}),
    "patches in time": ({"patch_size_t": 2, "patch_bias": False}, {}),
    "not square": ({}, {"height": 32, "width": 96}),
    "batch of two": ({}, {"prompt": ["a red circle", "a blue circle"]}),
    "no guidance": ({}, {"guidance_scale": 1.0}),
    "dynamic guidance": ({}, {"use_dynamic_cfg": True}),
    "one frame": ({}, {"num_frames": 1}),
    "sine positions": ({"use_rotary_positional_embeddings": False}, {}),
    "embeddings": ({}, {"prompt": None}),
}


@pytest.mark.parametrize(("build", "call"), KINDS.values(), ids=KINDS)
def test_any_cogvideox_pipeline_can_be_recorded(tiny_pipe, generate, build, call):
    pipe, prompt = tiny_pipe(**build), None
    if build.get("kind") == "I2V":
        call = call | {"image": torch.rand(1, 3, 64, 64)}
    if call.get("prompt", "") is None:
        prompt = "a red circle"
        positive, negative = pipe.encode_prompt(prompt, max_sequence_length=16)
        call = call | {"prompt_embeds": positive, "negative_prompt_embeds": negative}
    plain = generate(pipe, **call)
    with cogkit.record(pipe, *ALL, prompt=prompt) as rec:
        assert torch.equal(generate(pipe, **call), plain)
    word = rec.run.word("circle")
    grid = rec.run["text->video"].sizes
    assert word.shape[-3:] == (grid["frame"], grid["y"], grid["x"])
    assert bool(word.notnull().all()) and len(rec.run["latents"].step) == 2
    pad, video = rec.run.mass("pad"), rec.run.mass("video")
    assert bool(((pad > 0) & (video > 0) & (pad + video < 1)).all())


def test_a_changed_transformer_can_be_recorded(tiny_pipe, generate, change):
    pipe = tiny_pipe()
    change(pipe)
    plain, before = generate(pipe), traces(pipe)
    with cogkit.record(pipe, *ALL) as rec:
        assert torch.equal(generate(pipe), plain)
    assert rec.run.word("circle").notnull().all() and traces(pipe) == before


def test_frames_from_a_tiled_vae_are_the_same_to_the_bit(tiny_pipe, generate):
    pipe = tiny_pipe()
    pipe.vae.enable_tiling(tile_sample_min_height=32, tile_sample_min_width=32)
    plain = generate(pipe, output_type="pt")
    with cogkit.record(pipe, *ALL):
        assert torch.equal(generate(pipe, output_type="pt"), plain)


STOPS = [ZeroDivisionError, KeyboardInterrupt, SystemExit]  # torch's own clean-up knows the first only


def raising(error):
    def fail(*_):
        raise error

    return fail


@pytest.mark.parametrize("error", STOPS)
def test_nothing_is_left_behind_whatever_happens(pipe, generate, error):
    plain, before = generate(pipe), traces(pipe)
    with cogkit.record(pipe, *ALL):
        generate(pipe)
    assert traces(pipe) == before

    with pytest.raises(error), cogkit.record(pipe, *ALL):
        generate(pipe, callback_on_step_end=raising(error))
    assert traces(pipe) == before

    ff = pipe.transformer.transformer_blocks[1].attn1.to_out[0]
    handle = ff.register_forward_hook(raising(error))  # inside of the attention, where a function mode is on
    with pytest.raises(error), cogkit.record(pipe, *ALL):
        generate(pipe)
    handle.remove()
    assert traces(pipe) == before
    assert torch.equal(generate(pipe), plain)


def test_two_recordings_at_once_see_the_same(pipe, generate):
    with cogkit.record(pipe, cogkit.acts("blocks.1.attn.z")) as one:
        with cogkit.record(pipe, cogkit.acts("blocks.*.attn.z")) as other:
            generate(pipe)
        assert pipe.transformer._forward_hooks  # the outer one is still there
    assert one.run["blocks.1.attn.z"].equals(other.run["blocks.1.attn.z"])


def test_what_cannot_be_recorded_is_refused_with_near_matches(pipe, generate):
    with pytest.raises(UnknownPoint, match=r"'blocks\.\*\.atn\.z'; nearest: blocks\.\d\.attn\.z"):
        with cogkit.record(pipe, cogkit.acts("blocks.*.atn.z")):
            pass
    with pytest.raises(UnknownWord, match="no word 'circel'; nearest: circle"):
        with cogkit.record(pipe, cogkit.maps("video->text", words=["circel"])):
            generate(pipe)
    with pytest.raises(UnknownPoint, match="layers=2 is out of range; there are 2: 0 to 1"):
        with cogkit.record(pipe, cogkit.maps("video->text", layers=2)):
            generate(pipe)
    with pytest.raises(BranchError, match="branch='uncond'.*without guidance"):
        with cogkit.record(pipe, cogkit.maps("video->text", branch="uncond")):
            generate(pipe, guidance_scale=1.0)
    with pytest.raises(IndexError, match="y=9 is outside of the token grid; it has 4: 0 to 3"):
        with cogkit.record(pipe, cogkit.maps("video->video", queries=[(0, 9, 0)])):
            generate(pipe)
    with pytest.raises(SelectorError, match="relation='text->words' is unknown"):
        cogkit.maps("text->words")
    for dtype in ("bfloat16", "float7"):
        for selector, what in ((cogkit.maps, "video->text"), (cogkit.acts, "*")):
            with pytest.raises(SelectorError, match="dtype=.*float.*kept in numpy; give 'float16', 'float32'"):
                selector(what, dtype=dtype)
    with pytest.raises(SelectorError, match=r"give the text of each: record\(prompt="):
        positive, negative = pipe.encode_prompt("red", max_sequence_length=16)
        with cogkit.record(pipe, cogkit.maps("video->text", words=["red"])):
            generate(pipe, prompt=None, prompt_embeds=positive, negative_prompt_embeds=negative)
    with pytest.raises(RecordError, match="holds one run"), cogkit.record(pipe, cogkit.trajectory()):
        generate(pipe)
        generate(pipe)


def compiled(pipe):
    pipe.transformer.compile()  # compiles nothing until it is called


def compiled_blocks(pipe):
    pipe.transformer.transformer_blocks[1].compile()


def compiled_apart(pipe):
    pipe.transformer.transformer_blocks[1] = torch.compile(pipe.transformer.transformer_blocks[1])


def compiled_forward(pipe):
    pipe.transformer.forward = torch.compile(pipe.transformer.forward)


@pytest.mark.parametrize("how", [compiled, compiled_blocks, compiled_apart, compiled_forward])
def test_a_compiled_transformer_is_refused(tiny_pipe, how):
    pipe = tiny_pipe()
    how(pipe)
    before = traces(pipe)
    with pytest.raises(RecordError, match="compiled.*before torch.compile"), cogkit.record(pipe, cogkit.trajectory()):
        pass
    assert traces(pipe) == before


def test_what_is_no_pipeline_or_another_one_is_refused(pipe, tiny_pipe, generate):
    with pytest.raises(PipelineError, match="CogVideoXTransformer3DModel is no CogVideoX pipeline.*give the pipeline"):
        with cogkit.record(pipe.transformer, cogkit.trajectory()):
            pass
    other = type(pipe)(**pipe.components)  # shares the transformer, not the prompt or the guidance
    with cogkit.record(pipe, cogkit.trajectory()) as rec:
        with pytest.raises(RecordError, match="watched through another pipeline already"):
            with cogkit.record(other, cogkit.trajectory()):
                pass
        generate(pipe)
    assert rec.run["latents"].notnull().all()


def test_the_same_twice_is_refused_with_the_way_out(pipe, generate):
    with pytest.raises(RecordError, match=r"attn.z is recorded twice; .*put the patterns into one acts\(\)"):
        with cogkit.record(pipe, cogkit.acts("blocks.0.attn.z"), cogkit.acts("blocks.*.attn.z")):
            generate(pipe)
    with cogkit.record(pipe, cogkit.maps("video->text"), cogkit.maps("video->text", name="again")) as rec:
        generate(pipe)
    assert rec.run["again"].equals(rec.run["video->text"])


def test_swapping_within_the_block_is_refused_and_leaves_nothing(tiny_pipe, generate):
    pipe = tiny_pipe()
    plain, before = generate(pipe), traces(pipe)
    with pytest.raises(RecordError, match="replaced within the block; swap first"):
        with cogkit.record(pipe, *ALL), cogkit.swap(pipe):
            generate(pipe)
    assert traces(pipe) == before and torch.equal(generate(pipe), plain)
    with cogkit.swap(pipe), cogkit.record(pipe, *ALL):
        generate(pipe)


def test_a_selector_that_never_fired_is_an_error_that_names_causes(pipe, generate, tiny_pipe):
    with pytest.raises(RecordError, match="this pipeline did not run.*cache hook"):
        with cogkit.record(pipe, cogkit.trajectory()):
            pass
    other = tiny_pipe()
    for block in other.transformer.transformer_blocks:  # an attention without scaled_dot_product_attention
        block.attn1.forward = lambda hidden_states, encoder_hidden_states, **_: (hidden_states, encoder_hidden_states)
    with pytest.raises(RecordError, match="'video->text' never fired. Likely causes: a cache hook.*torch.compile"):
        with cogkit.record(other, cogkit.maps("video->text")):
            generate(other)


def test_cached_steps_are_flagged_and_never_taken_for_measured(tiny_pipe, generate):
    pipe = tiny_pipe(num_layers=3)
    pipe.transformer.enable_cache(
        diffusers.FirstBlockCacheConfig(threshold=1e9)  # every step after the first is cached
    )
    with pytest.warns(CachedSteps, match="`measured` says which"):
        with cogkit.record(pipe, cogkit.maps("video->text"), cogkit.acts("blocks.*.resid_post.video")) as rec:
            generate(pipe)
    for name in ("video->text", "resid_post.video"):
        measured = rec.run[name].measured
        assert measured.values[0].all() and not measured.values[1, 1:].any(), name
    assert rec.run["video->text"].lift.isel(step=1, layer=1).isnull().all()


def test_what_was_measured_is_told_beside_the_values_whatever_they_are_cut_to(tiny_pipe, generate, tmp_path):
    pipe = tiny_pipe(num_layers=3)
    pipe.transformer.enable_cache(diffusers.FirstBlockCacheConfig(threshold=1e9))
    selectors = cogkit.maps("video->text"), cogkit.acts("blocks.*.attn.z")
    with pytest.warns(CachedSteps), cogkit.record(pipe, *selectors, sink=tmp_path / "run") as rec:
        generate(pipe)
    for run in (rec.run, cogkit.open_run(tmp_path / "run")):
        for values in (run["attn.z"], run["video->text"].lift):
            assert values.measured.values.tolist() == [[True] * 3, [True, False, False]]
        assert run["blocks.2.attn.z"].measured.values.tolist() == [True, False]
        assert not run["attn.z"].sel(step=1, layer=2).measured
        assert "measured" not in run.word("circle").coords  # a mean over calls


@pytest.mark.filterwarnings("ignore:torch.meshgrid")
def test_a_step_without_the_unconditional_branch_is_flagged(tiny_pipe, generate):
    pipe = tiny_pipe()
    pipe.transformer.enable_cache(
        diffusers.FasterCacheConfig(
            spatial_attention_block_skip_range=2,
            spatial_attention_timestep_skip_range=(-1, 1001),
            unconditional_batch_skip_range=2,
            unconditional_batch_timestep_skip_range=(-1, 1001),
            attention_weight_callback=lambda _: 0.5,
            tensor_format="BFCHW",
            current_timestep_callback=lambda: pipe.current_timestep,
        )
    )
    plain = generate(pipe, num_inference_steps=6)
    selectors = cogkit.maps("video->text"), cogkit.acts("blocks.*.attn.z", "blocks.*.resid_post.video", "temb")
    with pytest.warns(CachedSteps), cogkit.record(pipe, *selectors) as rec:
        assert torch.equal(generate(pipe, num_inference_steps=6), plain)
    for name in ("video->text", "attn.z", "resid_post.video"):
        values = rec.run[name].lift if name == "video->text" else rec.run[name]
        measured = values.measured
        assert measured.values[0].all() and not measured.values.all(), name
        assert values.where(measured, drop=True).notnull().any() and not values.where(~measured).notnull().any(), name


@pytest.mark.parametrize("selector", [cogkit.maps("video->text"), cogkit.trajectory()], ids=["maps", "trajectory"])
def test_a_run_that_is_told_to_end_early_is_flagged(tiny_pipe, generate, selector):
    pipe = tiny_pipe()

    def interrupt(pipe, step, train_timestep, held):
        pipe._interrupt = step == 1
        return held

    with pytest.warns(CachedSteps, match="the run ended after 2 of 4 steps"), cogkit.record(pipe, selector):
        generate(pipe, num_inference_steps=4, callback_on_step_end=interrupt)
    first = cogkit.trajectory(steps=[0, 1])
    with cogkit.record(pipe, first):  # of what was asked for, nothing is missing
        generate(pipe, num_inference_steps=4, callback_on_step_end=interrupt)


@pytest.mark.parametrize("length", [12, 20])
def test_words_are_found_in_embeddings_of_any_length(tiny_pipe, generate, length):
    pipe, prompt = tiny_pipe(), "a red circle"  # laid out over 16 slots unless the embeddings say otherwise
    positive, negative = pipe.encode_prompt(prompt, max_sequence_length=length)
    select = cogkit.maps("video->text", words=["circle"])
    with cogkit.record(pipe, select) as wanted:
        generate(pipe, prompt=prompt, max_sequence_length=length)
    with cogkit.record(pipe, select, prompt=prompt) as rec:
        generate(pipe, prompt=None, prompt_embeds=positive, negative_prompt_embeds=negative)
    assert rec.run["video->text"].equals(wanted.run["video->text"])


def test_a_budget_is_kept_and_the_message_names_the_knob(pipe, generate):
    with pytest.raises(BudgetError, match=r"would take .* its budget is 8 KB; heads='mean' in 'video->text'"):
        maps = cogkit.maps("video->text", heads="each", dtype="float16", chunk=1)
        with cogkit.record(pipe, maps, budget="8KB"):
            generate(pipe)
    with pytest.raises(BudgetError, match=r"steps=range\(0, 2, 2\) in 'blocks.\*.resid_post.video'"):
        with cogkit.record(pipe, cogkit.acts("blocks.*.resid_post.video", dtype="float16"), budget="9KB"):
            generate(pipe)
    with pytest.raises(BudgetError, match="budget='lots' is no size"), cogkit.record(pipe, ALL[0], budget="lots"):
        generate(pipe)
    with cogkit.record(pipe, *ALL, budget="100MB"):
        generate(pipe)


def test_fifty_recordings_in_a_row_keep_nothing(pipe, generate, tmp_path):
    """Tensors and writers are counted; what Python and numpy hold is weighed, since not every leak has a tensor.

    All hook points at once, so that a recording outweighs what the libraries come to hold by themselves. Weighing
    makes everything slow: only the last ten are.
    """

    def alive():
        gc.collect()
        tensors = sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())
        writers = sum(thread.name == "cogkit-sink" for thread in threading.enumerate())  # zarr's own pool may grow
        return tensors, writers, tracemalloc.get_traced_memory()[0]

    try:
        for turn in range(50):
            if turn == 38:
                tracemalloc.start()
            sink = tmp_path / str(turn) if turn % 10 == 9 else None
            with cogkit.record(pipe, ALL[0], cogkit.acts("*"), sink=sink) as rec:
                generate(pipe, num_inference_steps=1)
            kept = sum(dataset.nbytes for dataset in rec.run.datasets.values())
            del rec
            if turn == 9:
                early = alive()
            if turn == 39:
                before = alive()
        after = alive()
        assert kept > 200_000, "too little to weigh"
    finally:
        tracemalloc.stop()
    assert after[0] <= early[0] and after[1] == 0
    assert after[2] - before[2] < 10 * kept / 4, "a quarter of every recording stayed"
