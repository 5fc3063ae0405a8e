"""The transformer rows of the pieces benchmark: diffusers' class against its twin, same weights, same inputs.

.venv/bin/python benchmarks/pieces_transformer.py [--rounds 7] [--tiny]

Per row: equality first, a row that differs is void; two warm-up rounds; arms interleaved A B B A ...; the median of
the per-round ratios and their range. A ratio above 1 says how many times faster the twin is.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from diffusers import CogVideoXTransformer3DModel
from torch import Tensor

from cogkit.checkpoints import load
from cogkit.transformer.rope import rotary_embedding
from cogkit.transformer.transformer import ExpertTransformer

REAL_WIDTH = dict(num_attention_heads=30, num_layers=2, use_rotary_positional_embeddings=True)  # the 2B's 1920 channels
TINY = dict(num_attention_heads=2, num_layers=1, text_embed_dim=64, use_rotary_positional_embeddings=True)


@dataclass(frozen=True)
class Row:
    name: str
    difference: float  # largest, over all of v
    ratio: float  # seconds of diffusers / seconds of the twin, median over rounds
    lowest: float
    highest: float
    stock_ms: float

    def __str__(self):
        verdict = f"{self.ratio:5.2f}x ({self.lowest:.2f} to {self.highest:.2f})"
        return f"{self.name:44} max|d| {self.difference:.1e}   {verdict}   diffusers {self.stock_ms:8.1f} ms"


def compare(name: str, stock: Callable[[], Tensor], twin: Callable[[], Tensor], rounds: int, bound: float) -> Row:
    """Raises if the two differ by more than `bound`."""
    difference = (stock() - twin()).abs().max().item()
    if not difference <= bound:
        raise AssertionError(f"{name}: outputs differ by {difference}, allowed {bound}; not timed")
    for _ in range(2):
        stock(), twin()
    pairs = []
    for k in range(rounds):
        seconds = {}
        for arm in (stock, twin) if k % 2 == 0 else (twin, stock):
            since = time.perf_counter()
            arm()
            seconds[arm] = time.perf_counter() - since
        pairs.append((seconds[stock], seconds[twin]))
    ratios = [a / b for a, b in pairs]
    stock_ms = 1000 * statistics.median(a for a, _ in pairs)
    return Row(name, difference, statistics.median(ratios), min(ratios), max(ratios), stock_ms)


def forward_row(name: str, stock: CogVideoXTransformer3DModel, t: int, h: int, w: int, text: int, rounds: int) -> Row:
    """One forward pass of both guidance branches (batch 2)."""
    torch.manual_seed(0)
    c, dtype = stock.config, stock.dtype
    twin = ExpertTransformer.from_stock(stock)
    inputs = dict(
        hidden_states=torch.randn(2, t, c.in_channels, h, w, dtype=dtype),
        encoder_hidden_states=torch.randn(2, text, c.text_embed_dim, dtype=dtype),
        timestep=torch.tensor([500, 500]),
        image_rotary_emb=rotary_embedding(c, t, h, w),
        return_dict=False,
    )
    tokens = text + t * h * w // c.patch_size**2
    label = f"{name}, {str(dtype).removeprefix('torch.')}, {tokens} tokens"
    return compare(label, lambda: stock(**inputs)[0], lambda: twin(**inputs)[0], rounds, bound=0.0)


@torch.inference_mode()
def rows(rounds: int = 7, tiny: bool = False) -> Iterator[Row]:
    for dtype in (torch.float32, torch.bfloat16):
        if tiny:
            stock = CogVideoXTransformer3DModel(**TINY).to(dtype).eval()
            yield forward_row("tiny", stock, 2, 8, 8, 8, rounds)
            continue
        nano = load("nano", dtype).transformer
        yield forward_row("nano, 17 frames of 128 x 128", nano, 5, 16, 16, 226, rounds)
        real = CogVideoXTransformer3DModel(**REAL_WIDTH).to(dtype).eval()
        yield forward_row("width 1920, 2 layers, 9 frames of 256 x 256", real, 3, 32, 32, 226, rounds)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--tiny", action="store_true", help="seconds: only to see that it runs")
    options = arguments.parse_args()
    print(f"threads {torch.get_num_threads()}, load {os.getloadavg()[0]:.2f}, torch {torch.__version__}")
    for row in rows(options.rounds, options.tiny):
        print(row, flush=True)
