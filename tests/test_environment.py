from dataclasses import replace

import pytest

from cogkit.environment import GB, Machine, describe, environment, look, warn_of, works
from cogkit.environment import _memory_limit as memory_limit

LAPTOP = Machine(cores=2, memory=16 * GB, free_memory=9 * GB, torch="2.13.0+cpu", widgets="8.1.9", cpu_bf16=False)
T4 = replace(
    LAPTOP, memory=int(12.7 * GB), gpu="Tesla T4", vram=int(15.8 * GB), free_vram=int(15.5 * GB), torch="2.10.0+cu128"
)
A100 = replace(LAPTOP, memory=83 * GB, gpu="A100", vram=42 * GB, free_vram=40 * GB, gpu_bf16=True, torch="2.10.0+cu128")


def test_a_laptop_runs_the_nano_model_and_is_told_why_not_the_others():
    nano, two, five = works(LAPTOP)
    assert nano == "nano: yes, every notebook"
    assert "2B: no, it wants a GPU" in two and "5B: no, it wants a GPU" in five
    assert warn_of(LAPTOP) == []


def test_a_machine_with_little_free_memory_is_not_promised_the_nano_model():
    assert "1.5 GB" in works(replace(LAPTOP, free_memory=int(1.5 * GB)))[0]


@pytest.mark.parametrize(
    "free, way",
    [(40, "as it is"), (20, "model_cpu_offload"), (12, "enable_tiling"), (6, "very slowly"), (4, "no, 4.0 GB")],
)
def test_the_less_gpu_memory_is_free_the_more_is_offloaded(free, way):
    assert way in works(replace(A100, free_vram=free * GB))[2]


def test_the_5b_runs_in_bf16_where_there_is_bf16():
    assert "in bf16" in works(A100)[2] and "in fp16" in works(T4)[2] and "in fp16" in works(A100)[1]


def test_a_good_gpu_gets_no_warning():
    assert warn_of(A100) == []


def test_a_t4_is_warned_of_its_missing_bf16_and_of_colabs_memory():
    bf16, memory = warn_of(T4)
    assert "Tesla T4 has no bf16" in bf16
    assert "12.7 GB" in memory and "T5-XXL" in memory


@pytest.mark.parametrize(
    "torch, cudnn, warned",
    [
        ("2.8.0", 91002, False),
        ("2.9.0+cu128", 91600, True),
        ("2.9.1", 91002, True),
        ("2.9.1", 91500, False),
        ("2.10.0", 91002, False),
    ],
)
def test_torch_2_9_is_warned_of_only_where_conv3d_lost_cudnn(torch, cudnn, warned):
    assert any("conv3d" in line for line in warn_of(replace(A100, torch=torch, cudnn=cudnn))) == warned
    assert warn_of(replace(LAPTOP, torch="2.9.0")) == []


@pytest.mark.parametrize("widgets, colab, words", [(None, False, "not installed"), ("7.6.5", False, "older than 7.7")])
def test_missing_and_old_widgets_are_named(widgets, colab, words):
    (line,) = warn_of(replace(LAPTOP, widgets=widgets, colab=colab))
    assert words in line


def test_colab_is_warned_only_of_widgets_that_its_page_is_not_made_for():
    assert warn_of(replace(LAPTOP, colab=True, widgets="7.7.1")) == []
    assert "8.1.9" in warn_of(replace(LAPTOP, colab=True))[0]


def test_every_warning_is_one_sentence():
    worst = replace(T4, torch="2.9.0", colab=True)
    assert len(warn_of(worst)) == 4
    assert all("\n" not in line and ". " not in line for line in warn_of(worst))


def test_the_facts_are_shown():
    lines = "\n".join(describe(T4))
    for fact in (
        "2, without fast bf16",
        "9.0 GB of 12.7 GB",
        "Tesla T4, 15.5 GB of 15.8 GB free, no bf16",
        "2.10.0",
        "8.1.9",
    ):
        assert fact in lines
    assert "none" in "\n".join(describe(LAPTOP))


def test_a_container_has_the_memory_that_it_was_given(tmp_path):
    path = tmp_path / "memory.max"
    assert memory_limit(path) == float("inf")
    path.write_text("max\n")
    assert memory_limit(path) == float("inf")
    path.write_text("2000000000\n")
    assert memory_limit(path) == 2 * GB


def test_environment_prints_this_machine(capsys):
    environment()
    said = capsys.readouterr().out
    assert f"cores    {look().cores}" in said and "nano:" in said and "2B:" in said
