"""The plan is made before the run; here it is held against what the run then does."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

import cogkit

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
