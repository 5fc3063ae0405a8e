"""The plan is made before the run; here it is held against what the run then does."""

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

import cogkit
from cogkit.recording.layout import Anatomy, Layout
from cogkit.recording.pattern import Pattern
from cogkit.recording.plan import make_plan
from cogkit.recording.tokens import TextSlots

CALL = {"num_frames": 17, "height": 96, "width": 128, "num_inference_steps": 3, "prompt": "a red circle"}
SELECTORS = {
    "video->text": lambda: cogkit.maps("video->text", heads="each"),
    "text->video": lambda: cogkit.maps("text->video", words=["red", "circle"], branch="both"),
    "video->video": lambda: cogkit.maps("video->video", queries=[(0, 1, 2), (3, 2, 5)], layers=[1, 2]),
    "frame->frame": lambda: cogkit.maps("frame->frame", steps=[0, 2]),
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
    return counter.get_total_flops()


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


class Held(TorchDispatchMode):
    """The most bytes that new tensors hold at one time."""

    now = peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        given = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() not in given:
                self._hold(tensor.untyped_storage().nbytes())
                weakref.finalize(tensor, self._hold, -tensor.untyped_storage().nbytes())
        return out

    def _hold(self, size: int) -> None:
        self.now += size
        self.peak = max(self.peak, self.now)


def two_thousand_tokens_of_video() -> Layout:
    groups = {"prompt": list(range(8)), "eos": [8], "pad": list(range(9, 226))}
    slots = TextSlots(tuple(f"▁w{slot}" for slot in range(226)), tuple(range(226)), groups)
    return Layout(1, ("uncond", "cond"), 226, 5, 20, 20, (5, 16, 40, 40), tuple(range(999, 0, -50)), (slots,), (slots,))


@pytest.mark.parametrize("chunk", [2**20, 2**26])
@pytest.mark.parametrize(
    ("relation", "more", "dtype"),  # scratch is planned for bf16, of which q and k are copied, and frames for fp32
    [
        ("video->text", {}, torch.bfloat16),
        ("text->video", {"words": ["w1", "w2", "w5"]}, torch.bfloat16),
        ("video->video", {"queries": [(0, 1, 2), (3, 4, 5)]}, torch.bfloat16),
        ("frame->frame", {}, torch.float32),
    ],
)
def test_what_is_kept_and_the_scratch_are_within_a_tenth_of_the_plan(relation, more, dtype, chunk):
    layout = two_thousand_tokens_of_video()
    sizes = Anatomy(layers=10, heads=4, head_width=64, time=128, out=64, text=128)
    selector = cogkit.maps(relation, **more, heads="each", chunk=chunk)
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 4, layout.tokens, 64).to(dtype) for _ in "qkv")
    recorder, pattern = selector.bind(layout, sizes)[0], Pattern(q, k, v, None, chunk)
    with Held() as held:
        for _, found in recorder.read("attn.pattern", 0, pattern, 0):
            del found
    kept = sum(slab.bytes for slab in recorder.slabs)
    assert make_plan([selector], layout, sizes, to_disk=False).memory == pytest.approx(kept + held.peak, rel=0.1)


def test_the_table_has_a_line_for_each_selector_and_one_for_all(pipe):
    with cogkit.record(pipe, *(make() for make in (SELECTORS["video->text"], SELECTORS["trajectory"]))) as rec:
        lines = str(rec.plan(**CALL)).splitlines()
    assert [line.split("  ")[0] for line in lines[:3]] == ["selector", "video->text", "trajectory"]
    assert lines[3].startswith("memory ") and "work +" in lines[3]


def test_where_no_kernel_tells_the_normaliser_the_plan_has_the_second_pass(pipe, monkeypatch):
    def share():
        with cogkit.record(pipe, SELECTORS["video->text"]()) as rec:
            return rec.plan(**CALL).share

    fused = share()
    monkeypatch.setattr("cogkit.recording.record.has_fused_lse", lambda pipe: False)
    assert share() > fused + 0.1
