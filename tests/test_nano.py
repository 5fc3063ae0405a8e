"""The shipped checkpoint is what its card says, and needs nothing of ours."""

import json
import subprocess
import sys

import pytest
import torch

from cogkit.checkpoints import DATA, cpu_has_fast_bf16
from cogkit.prompts import unknown_words
from cogkit.world.paint import CHROMA, along_hues, hue_of
from cogkit.world.vocabulary import COLOURS, IN_BETWEEN

NANO = DATA / "nano"
STOCK = """
import sys, torch
from diffusers import CogVideoXPipeline
pipe = CogVideoXPipeline.from_pretrained(sys.argv[1], dtype=getattr(torch, sys.argv[2]))
pipe.set_progress_bar_config(disable=True)
frames = pipe("a red circle moving right on a gray background", num_inference_steps=2, output_type="np").frames
assert not any(name.split(".")[0] == "cogkit" for name in sys.modules)
print(frames.shape)
"""


def test_stock_diffusers_loads_and_runs_it_with_its_own_defaults():
    dtype = "bfloat16" if cpu_has_fast_bf16() else "float32"  # minutes a layer where it must be emulated
    ran = subprocess.run([sys.executable, "-c", STOCK, str(NANO), dtype], capture_output=True, text=True)
    assert ran.stdout.strip() == "(1, 17, 128, 128, 3)", ran.stderr


def test_it_takes_at_most_40_megabytes():
    assert sum(path.stat().st_size for path in NANO.rglob("*") if path.is_file()) <= 40e6


def test_it_has_every_idea_of_the_5b():
    read = {
        part: json.loads((NANO / part / "config.json").read_text()) for part in ("transformer", "vae", "text_encoder")
    }
    transformer, vae = read["transformer"], read["vae"]
    assert (
        transformer["_class_name"] == "CogVideoXTransformer3DModel" and vae["_class_name"] == "AutoencoderKLCogVideoX"
    )
    assert transformer["use_rotary_positional_embeddings"] and transformer["attention_head_dim"] == 64
    assert transformer["patch_size"] == 2 and transformer["max_text_seq_length"] == 226
    assert (
        vae["latent_channels"] == 16 and vae["temporal_compression_ratio"] == 4 and len(vae["block_out_channels"]) == 4
    )
    assert read["text_encoder"]["architectures"] == ["T5EncoderModel"]
    scheduler = json.loads((NANO / "scheduler" / "scheduler_config.json").read_text())
    assert scheduler["prediction_type"] == "v_prediction" and scheduler["rescale_betas_zero_snr"]
    assert scheduler["timestep_spacing"] == "trailing"


def test_the_parameter_counts_of_the_card_are_true(nano):
    card = (NANO / "README.md").read_text()
    for part in (nano.transformer, nano.vae.encoder, nano.vae.decoder):
        assert f"{sum(p.numel() for p in part.parameters()):,}" in card


def test_names_between_the_palette_are_unknown_to_it_and_said_to_be(nano):
    """They were in its captions, but not all of them were learnt."""
    assert unknown_words(nano.tokenizer, " ".join(IN_BETWEEN)) == list(IN_BETWEEN)


@pytest.mark.parametrize("name", COLOURS)
def test_a_colour_that_it_knows_is_drawn_in_its_hue(nano, name):
    assert unknown_words(nano.tokenizer, name) == []
    shape, dice = "square" if name == "purple" else "circle", torch.Generator().manual_seed(0)
    size = {"num_frames": 1, "num_inference_steps": 10}
    picture = nano(f"a {name} {shape} on a gray background", **size, generator=dice, output_type="np").frames[0][0]
    pixels = 255 * picture.reshape(-1, 3)
    thing = pixels[along_hues(pixels).max(-1) > CHROMA.min() / 2]
    got, wanted = hue_of(tuple(map(round, thing.mean(0).tolist()))), hue_of(COLOURS[name])
    assert abs((got - wanted + 180) % 360 - 180) < 12, (got, wanted)
