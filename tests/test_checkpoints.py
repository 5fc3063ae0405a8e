import shutil
from pathlib import Path

import pytest
import torch

from cogkit.checkpoints import DATA, CheckpointError, best_dtype, check_folder, load

NANO = DATA / "nano"


@pytest.fixture
def copy(tmp_path):
    return Path(shutil.copytree(NANO, tmp_path / "nano"))


def test_the_shipped_checkpoint_is_whole():
    check_folder(NANO)


def test_a_folder_that_does_not_exist_is_named():
    with pytest.raises(CheckpointError, match="there is no checkpoint folder nowhere"):
        load("nowhere")


@pytest.mark.parametrize(
    "missing",
    ["model_index.json", "vae/config.json", "scheduler/scheduler_config.json", "tokenizer/tokenizer_config.json"],
)
def test_a_missing_file_is_named(copy, missing):
    (copy / missing).unlink()
    with pytest.raises(CheckpointError, match=f"not a whole pipeline: {missing} is missing"):
        load(copy)


def test_missing_weights_are_named(copy):
    next((copy / "transformer").glob("*.safetensors")).unlink()
    with pytest.raises(CheckpointError, match="transformer has no .safetensors"):
        load(copy)


@pytest.mark.parametrize("kept", [0, 4, 100, 5000])
def test_weights_cut_short_are_noticed_before_anything_is_loaded(copy, kept):
    path = next((copy / "vae").glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=f"{path.name} is damaged"):
        load(copy)


def test_a_config_that_is_not_json_is_noticed(copy):
    (copy / "transformer" / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="config.json is damaged"):
        load(copy)


def test_weights_that_do_not_fit_the_config_are_refused_with_a_sentence(copy):
    path = copy / "transformer" / "config.json"
    path.write_text(path.read_text().replace('"num_attention_heads": 4', '"num_attention_heads": 3'))
    with pytest.raises(CheckpointError, match="could not be loaded as a CogVideoX pipeline"):
        load(copy)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_it_loads_in_the_type_that_is_asked_for(dtype):
    pipe = load(NANO, dtype)
    assert {part.dtype for part in (pipe.transformer, pipe.vae, pipe.text_encoder)} == {dtype}


@pytest.mark.parametrize(("tiles", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_on_a_cpu_bf16_is_the_default_only_with_tiles_for_it(monkeypatch, tiles, dtype):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    assert best_dtype() is dtype
