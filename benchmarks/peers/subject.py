"""The pipeline that every entrant records: seeded weights, one prompt, guidance on; no tool is imported here."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
)
from transformers import AutoTokenizer, T5Config, T5EncoderModel

NANO = Path(__file__).parents[2] / "data" / "nano"
PROMPT = "a yellow star moving right on a gray background"
TEXT = 226
SMALL = {"attention_head_dim": 64, "text_embed_dim": 32, "time_embed_dim": 128}


@dataclass(frozen=True)
class Size:
    """`transformer` is its config (None: the shipped nano); frames, height and width are those of the video."""

    transformer: dict | None
    frames: int
    height: int
    width: int
    rounds: int
    dtype: torch.dtype = torch.float32
    steps: int = 1


def small(heads: int, layers: int) -> dict:
    return SMALL | {"num_attention_heads": heads, "num_layers": layers, "use_rotary_positional_embeddings": True}


REAL_WIDTH = {"num_layers": 4}  # the other defaults of the class are the 2B's
SIZES = {
    "quick": Size(small(2, 2), 9, 48, 64, rounds=2),
    "nano": Size(None, 17, 128, 128, rounds=9, steps=4),
    "middle": Size(small(4, 4), 17, 480, 480, rounds=7),
    "long": Size(small(2, 2), 49, 480, 720, rounds=3),
    "real": Size(REAL_WIDTH, 49, 480, 720, rounds=3, dtype=torch.bfloat16),
}


def build(size: Size) -> CogVideoXPipeline:
    if size.transformer is None:
        pipe = CogVideoXPipeline.from_pretrained(NANO, dtype=size.dtype)
    else:
        torch.manual_seed(0)
        transformer = CogVideoXTransformer3DModel(**size.transformer).to(size.dtype).eval()
        width = transformer.config.text_embed_dim
        t5 = T5Config(vocab_size=128, d_model=width, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
        pipe = CogVideoXPipeline(
            tokenizer=AutoTokenizer.from_pretrained(NANO / "tokenizer"),
            text_encoder=T5EncoderModel(t5).to(size.dtype).eval(),
            vae=AutoencoderKLCogVideoX(block_out_channels=(8,) * 4, norm_num_groups=2, layers_per_block=1),
            transformer=transformer,
            scheduler=CogVideoXDDIMScheduler(
                prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing"
            ),
        )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def call(size: Size) -> dict:
    """What every run of the pipeline is given. It ends at latents: the VAE is no part of the comparison."""
    return {
        "prompt": PROMPT,
        "num_frames": size.frames,
        "height": size.height,
        "width": size.width,
        "num_inference_steps": size.steps,
        "guidance_scale": 6.0,
        "max_sequence_length": TEXT,
        "output_type": "latent",
        "generator": torch.Generator().manual_seed(0),
    }


def words(pipe) -> dict[str, list[int]]:
    """Every word of the prompt and its slots. The world's words are one or more pieces each; "▁" opens a word."""
    pieces = pipe.tokenizer.tokenize(PROMPT)
    starts = [k for k, piece in enumerate(pieces) if piece.startswith("▁")]
    spans = [list(range(a, b)) for a, b in zip(starts, [*starts[1:], len(pieces)], strict=True)]
    found: dict[str, list[int]] = {}
    for word, span in zip(PROMPT.split(), spans, strict=True):
        found.setdefault(word, []).extend(span)
    return found
