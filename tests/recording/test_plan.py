"""The plan is made before the run; here it is held against what the run then does."""

from dataclasses import replace
from functools import partial

import diffusers
import PIL.Image
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

import cogkit
from cogkit.recording.concepts import MODULATION, ConceptRows
from cogkit.recording.layout import Anatomy, Layout
from cogkit.recording.pattern import Pattern
from cogkit.recording.plan import BudgetError, check_budget, make_plan, planned_layout
from cogkit.recording.selectors import RELATIONS, SelectorError
from cogkit.recording.tokens import TextSlots

CALL = {"num_frames": 17, "height": 96, "width": 128, "num_inference_steps": 3, "prompt": "a red circle"}
SELECTORS = {
    "video->text": lambda: cogkit.maps("video->text", heads="each"),
    "text->video": lambda: cogkit.maps("text->video", words=["red", "circle"], branch="both"),
    "video->video": lambda: cogkit.maps("video->video", queries=[(0, 1, 2), (3, 2, 5)], layers=[1, 2]),
    "frame->frame": lambda: cogkit.maps("frame->frame", steps=[0, 2]),
    "concepts": lambda: cogkit.concepts("circle", "red square"),
    "concepts, deep": lambda: cogkit.concepts("circle", heads="each", layers=[0, 2], keys=False, branch="both"),
    "acts": lambda: cogkit.acts("blocks.*.attn.[qz]", "temb", branch="both"),
    "trajectory": lambda: cogkit.trajectory(model_output=True),
}


@pytest.fixture(scope="module")
def deep(tiny_pipe):
    return tiny_pipe(num_layers=4)


def flops(work) -> int:
    def attention(q, k, v, *_, **__):
        return sdpa_flop_count(q, k, v)

    known = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention}
    with FlopCounterMode(display=False, custom_mapping=known) as counter:
        work()
    text_encoder = counter.get_flop_counts()["T5EncoderModel"]  # reads concepts once: not the denoiser's work
    return counter.get_total_flops() - sum(text_encoder.values())


@pytest.mark.parametrize("name", SELECTORS)
def test_bytes_in_memory_and_on_disk_and_extra_work_are_within_a_tenth_of_the_plan(deep, generate, tmp_path, name):
    with cogkit.record(deep, SELECTORS[name]()) as rec:
        plan = rec.plan(**CALL, max_sequence_length=16)
        generate(deep, **CALL)  # and what is checked on first use is behind us
    kept = sum(array.nbytes for array in rec.store.arrays.values())
    assert plan.memory - plan.costs[0].scratch == pytest.approx(kept, rel=0.1) and plan.disk == 0

    plain = flops(lambda: generate(deep, **CALL))
    with cogkit.record(deep, SELECTORS[name](), sink=tmp_path / "run") as rec:
        plan = rec.plan(**CALL, max_sequence_length=16)
        recorded = flops(lambda: generate(deep, **CALL))
    assert plan.share == pytest.approx((recorded - plain) / plain, rel=0.1)
    written = sum(path.stat().st_size for path in (tmp_path / "run").rglob("*") if "c" in path.parts and path.is_file())
    assert plan.disk == pytest.approx(written, rel=0.1)


def two_thousand_tokens_of_video() -> Layout:
    groups = {"prompt": list(range(8)), "eos": [8], "pad": list(range(9, 226))}
    slots = TextSlots(tuple(f"▁w{slot}" for slot in range(226)), tuple(range(226)), groups)
    return Layout(1, ("uncond", "cond"), 226, 5, 20, 20, (5, 16, 40, 40), tuple(range(999, 0, -50)), (slots,), (slots,))


def as_in_a_block(recorder, sizes: Anatomy) -> None:
    """Give the concepts what they have when attention comes: a block, its modulation, and T5's states of the words."""
    model = diffusers.CogVideoXTransformer3DModel(
        sizes.heads, sizes.head_width, num_layers=1, text_embed_dim=sizes.text
    )
    recorder.transformer = model.to(torch.bfloat16)
    recorder.states = torch.randn(len(recorder.selector.words), sizes.text)
    recorder.modulation = {kind: torch.zeros(len(recorder.rows), 1, sizes.width).bfloat16() for kind in MODULATION}


@pytest.mark.parametrize("heads", ["each", "mean"])
@pytest.mark.parametrize("chunk", [2**20, 2**26])
@pytest.mark.parametrize(
    "select",
    [
        partial(cogkit.maps, "video->text"),
        partial(cogkit.maps, "text->video", words=["w1", "w2", "w5"]),
        partial(cogkit.maps, "video->video", queries=[(0, 1, 2), (3, 4, 5)]),
        partial(cogkit.maps, "frame->frame"),
        partial(cogkit.concepts, "w1", "w2"),
    ],
    ids=[*RELATIONS, "concepts"],
)
def test_what_is_kept_and_the_scratch_are_within_a_tenth_of_the_plan(select, chunk, heads, held):
    layout = two_thousand_tokens_of_video()
    sizes = Anatomy(layers=10, heads=4, head_width=64, time=128, out=64, text=128)
    selector = select(heads=heads, chunk=chunk)
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 4, layout.tokens, 64).bfloat16() for _ in "qkv")  # of which the scratch has fp32 copies
    recorder, pattern = selector.bind(layout, sizes)[0], Pattern(q, k, v, None, chunk)
    if isinstance(recorder, ConceptRows):
        as_in_a_block(recorder, sizes)
    with torch.no_grad(), held() as most:
        for _, found in recorder.read("attn.pattern", 0, pattern, 0):
            del found
    kept = sum(slab.bytes for slab in recorder.slabs)
    assert make_plan([selector], layout, sizes, to_disk=False).memory == pytest.approx(kept + most.peak, rel=0.1)
    assert recorder.scratch == pytest.approx(most.peak, rel=0.12)  # beside what is kept it would not count


def test_the_table_has_a_line_for_each_selector_and_one_for_all(pipe):
    with cogkit.record(pipe, *(make() for make in (SELECTORS["video->text"], SELECTORS["trajectory"]))) as rec:
        lines = str(rec.plan(**CALL)).splitlines()
    assert [line.split("  ")[0] for line in lines[:3]] == ["selector", "video->text", "trajectory"]
    assert lines[3].startswith("memory ") and "work +" in lines[3]


@pytest.mark.parametrize("select", [SELECTORS["video->text"], lambda: cogkit.concepts("circle", layers=[1])])
def test_where_no_kernel_tells_the_normaliser_the_plan_has_the_second_pass(pipe, monkeypatch, select):
    def share():
        with cogkit.record(pipe, select()) as rec:
            return rec.plan(**CALL, max_sequence_length=16).share

    fused, size = share(), Anatomy(layers=2, heads=2, head_width=16, time=16, out=64, text=32)
    monkeypatch.setattr("cogkit.recording.record.has_fused_lse", lambda pipe: False)
    tokens = 16 + 5 * 6 * 8  # of both layers, in every step: half of the attention again
    attention = 2 * tokens**2 * size.width
    assert share() == pytest.approx(fused + attention / (2 * attention + 24 * tokens * size.width**2))


IMAGE, STATES = PIL.Image.new("RGB", (64, 64)), torch.ones(3, 12, 32)
CALLS = {
    "text to video": ("T2V", "", {"num_frames": 17, "guidance_scale": 1.0}),
    "patches in time": ("T2V", "", {"num_frames": 17}),
    "latents": ("T2V", "", {"latents": torch.ones(1, 5, 16, 6, 8), "height": 48}),
    "two prompts": ("T2V", "", {"prompt": ["red", "a blue star"]}),
    "embeddings": ("T2V", "", {"prompt": None, "prompt_embeds": STATES, "negative_prompt_embeds": STATES}),
    "image to video": ("I2V", "ImageToVideo", {"image": IMAGE, "num_frames": 5}),
    "video to video": ("T2V", "VideoToVideo", {"video": [IMAGE] * 17, "num_inference_steps": 5}),
    "a batch of videos": ("T2V", "VideoToVideo", {"video": torch.ones(1, 17, 3, 64, 64), "strength": 0.5}),
    "control": ("I2V", "FunControl", {"control_video": [IMAGE] * 17}),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_plan_knows_how_a_call_is_laid_out(tiny_pipe, name):
    kind, task, call = CALLS[name]
    folded = {"patch_size_t": 2, "patch_bias": False} if name == "patches in time" else {}
    pipe = getattr(diffusers, f"CogVideoX{task}Pipeline")(**tiny_pipe(kind, **folded).components)
    call = {"prompt": "red", "num_inference_steps": 2, "max_sequence_length": 16, "output_type": "latent"} | call
    told = ["a red star"] * len(STATES) if name == "embeddings" else None
    with cogkit.record(pipe, cogkit.maps("video->text", words=["red"]), cogkit.trajectory(), prompt=told) as rec:
        plan = rec.plan(**call)
        pipe(**call)
    assert sum(cost.kept for cost in plan.costs) == sum(array.nbytes for array in rec.store.arrays.values())
    planned = planned_layout(pipe, rec.selectors, (), call)
    assert planned.steps == rec.layout.steps and len(planned.prompts) == len(rec.layout.prompts)
    alike = {"train_timesteps": (), "prompts": (), "negatives": ()}
    assert replace(planned, **alike) == replace(rec.layout, **alike)


def test_a_knob_of_any_selector_may_bring_a_recording_under_its_budget():
    """The activations keep most, but it is the scratch of the maps that can go."""
    layout, sizes = two_thousand_tokens_of_video(), Anatomy(4, 4, 64, time=128, out=64, text=128)
    both = [
        cogkit.maps("video->video", queries=[(frame, 3, 3) for frame in range(5)], chunk=2**27),
        cogkit.acts("blocks.0.resid_post.video", steps=range(8), dtype="float16"),
    ]
    plan = make_plan(both, layout, sizes, to_disk=False)
    assert plan.costs[0].kept < plan.costs[1].kept and plan.costs[0].scratch > 2 * 2**20
    with pytest.raises(BudgetError, match="would take .*; chunk=1048576 in 'video->video' brings it to"):
        check_budget(both, layout, sizes, False, plan.total - 2**19)


def test_without_a_prompt_the_words_of_concepts_do_not_stand_for_it(deep):
    """They need not be in it, and its length decides what the maps of all its words keep."""
    with cogkit.record(deep, cogkit.maps("video->text"), cogkit.concepts("circle")) as rec:
        with pytest.raises(SelectorError, match="prompt"):
            rec.plan(**CALL | {"prompt": None})
        assert rec.plan(**CALL).costs[0].kept > 0
