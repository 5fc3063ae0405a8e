"""The readable twins against the diffusers modules that they replace: equal, and how much faster and smaller?

    .venv/bin/python benchmarks/pieces.py [--rounds 7] [--quick]

Prints a table as Markdown and writes it to benchmarks/results/pieces.md. Run it on an idle machine; it takes about ten
minutes. bf16 is left out where the CPU library has no kernels for it. `--quick` takes the smallest sizes, one round and
no memory: it shows that all arms are equal, no more. Column "equal?" holds the largest difference between the arms and,
where both round, how far each is from a finer precision (relative, RMS). A peak is that of the whole process while the
piece is called once; in brackets, what the call itself added.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from side_by_side import (
    ARMS,
    Case,
    Row,
    UnequalError,
    call_in_fresh_process,
    cells,
    difference,
    has_bf16,
    machine,
    peak_of,
    span,
    timed,
)
from torch import Tensor

import cogkit
from cogkit.transformer.rope import rotary_embedding
from cogkit.transformer.transformer import ExpertTransformer
from cogkit.vae.autoencoder import CausalVAE

RESULT = Path(__file__).parent / "results" / "pieces.md"
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
PROMPT = "a yellow star moving right on a gray background"
COLUMNS = (
    *("piece", "precision", "equal?", "times faster (range)", "by processor time", "stock, ms", "twin, ms"),
    *("peak with stock, MB", "peak with twin, MB", "bar"),
)


def nano_vae(dtype: torch.dtype) -> AutoencoderKLCogVideoX:
    return cogkit.load("nano", dtype).vae


def wide_vae(dtype: torch.dtype) -> AutoencoderKLCogVideoX:
    """The released widths, 128, 256, 256 and 512 channels, and depth; random weights."""
    torch.manual_seed(0)
    return AutoencoderKLCogVideoX().to(dtype).eval()


def vae_case(load: Callable, way: str, precision: str, frames: int, size: int, wide: bool = False) -> Case:
    """In fp32 the arms lie within 1e-5 of each other; wide, within 1e-5 (relative, RMS) of float64, for oneDNN adds up
    the thousands of products of a channels-last convolution in one long sum, five times less exact than in blocks
    (1.2e-6 against 2.4e-7 for one layer of 512 channels). In bf16 the twin is as near to fp32 as stock is."""
    stock = load(PRECISIONS[precision])
    twin, x = CausalVAE.from_stock(stock), clip(frames, size).to(stock.dtype)
    if way == "decode":
        x = twin.encode(x).latent_dist.mode()

    def run(vae, x: Tensor) -> Tensor:
        return vae.decode(x).sample if way == "decode" else vae.encode(x).latent_dist.mode()

    finer = torch.float64 if precision == "fp32" else torch.float32

    def truth() -> Tensor:
        return run(load(finer), x.to(finer))

    arms = (lambda: run(stock, x)), (lambda: run(twin, x))
    return Case(*arms, bound=1e-5, truth=truth if wide or precision == "bf16" else None)


def clip(frames: int, size: int) -> Tensor:
    """Smooth colours that drift: (1, 3, frames, size, size) in [-1, 1]."""
    t, y, x = torch.meshgrid(*(torch.arange(float(n)) for n in (frames, size, size)), indexing="ij")
    return torch.stack([torch.sin(y / 5 + t), torch.sin(x / 7 - t), torch.cos((x + y) / 9)])[None]


def transformer_case(load: Callable, precision: str, t: int, h: int, w: int, text: int = 226) -> Case:
    """One forward pass of both guidance branches (batch 2)."""
    stock = load(PRECISIONS[precision])
    twin, config = ExpertTransformer.from_stock(stock), stock.config
    torch.manual_seed(0)
    inputs = {
        "hidden_states": torch.randn(2, t, config.in_channels, h, w, dtype=stock.dtype),
        "encoder_hidden_states": torch.randn(2, text, config.text_embed_dim, dtype=stock.dtype),
        "timestep": torch.tensor([500, 500]),
        "image_rotary_emb": rotary_embedding(config, t, h, w),
        "return_dict": False,
    }
    return Case(lambda: stock(**inputs)[0], lambda: twin(**inputs)[0])


def nano_transformer(dtype: torch.dtype) -> CogVideoXTransformer3DModel:
    return cogkit.load("nano", dtype).transformer


def wide_transformer(dtype: torch.dtype) -> CogVideoXTransformer3DModel:
    """The 2B's width of 1920 channels, but 2 layers, with RoPE; random weights."""
    torch.manual_seed(0)
    return CogVideoXTransformer3DModel(num_layers=2, use_rotary_positional_embeddings=True).to(dtype).eval()


def generation_case(precision: str, frames: int, size: int, steps: int) -> Case:
    """A whole pipeline call. The latents must be bit-equal, so that the frames are two decodings of the same."""
    arms, last = {name: cogkit.load("nano", PRECISIONS[precision]) for name in ARMS}, {}
    cogkit.swap(arms["twin"])

    def run(name: str) -> Tensor:
        def keep(_pipe, _step, _train_timestep, held):
            last[name] = held["latents"].clone()
            return {}

        pipe = arms[name]
        pipe.set_progress_bar_config(disable=True)
        generator = torch.Generator().manual_seed(0)
        sizes = {"num_frames": frames, "height": size, "width": size, "num_inference_steps": steps}
        video = pipe(PROMPT, generator=generator, output_type="pt", callback_on_step_end=keep, **sizes).frames
        if len(last) == 2 and not torch.equal(*last.values()):
            raise UnequalError("the latents of the two pipelines are not bit-equal")
        return video

    def truth() -> Tensor:
        pipe = cogkit.load("nano", torch.float32)
        return pipe.video_processor.postprocess_video(pipe.decode_latents(last["stock"].float()), output_type="pt")

    rounded = precision != "fp32"
    return Case(partial(run, "stock"), partial(run, "twin"), bound=1e-5, truth=truth if rounded else None)


def rows(quick: bool = False) -> Iterator[Row]:
    decode_bars = {"fp32": 2.0, "bf16": 1.5}
    few, small = (1, 32) if quick else (9, 64)
    for name, nano in (("17 frames of 128 x 128", (17, 128)), ("17 frames of 64 x 64", (17, 64))):
        for p in PRECISIONS:
            build = partial(vae_case, nano_vae, "decode", p, *((9, 32) if quick else nano))
            yield Row(f"decode, nano VAE, {name}", p, build, decode_bars[p])
    for p in PRECISIONS:
        nano = (1, 32) if quick else (17, 128)
        yield Row("encode, nano VAE, 17 frames of 128 x 128", p, partial(vae_case, nano_vae, "encode", p, *nano))
    for way in ("decode", "encode"):
        for p in PRECISIONS:
            bar = decode_bars[p] if way == "decode" else None
            build = partial(vae_case, wide_vae, way, p, few, small, wide=True)
            yield Row(f"{way}, VAE of released width, 9 frames of 64 x 64", p, build, bar)
    for p in PRECISIONS:
        nano, wide = ((1, 4, 4), (1, 4, 4)) if quick else ((5, 16, 16), (3, 32, 32))
        yield Row("forward, nano transformer, 546 tokens", p, partial(transformer_case, nano_transformer, p, *nano))
        build = partial(transformer_case, wide_transformer, p, *wide)
        yield Row("forward, transformer of width 1920, 2 layers, 994 tokens", p, build)
    for p in PRECISIONS:
        run = (9, 64, 2) if quick else (17, 128, 20)
        yield Row("generation, nano, 17 frames of 128 x 128, 20 steps", p, partial(generation_case, p, *run), 1.5)


def line(row: Row, rounds: int, quick: bool) -> str:
    """A line of the table. Raises UnequalError."""
    case = row.build()
    equal, time = difference(case), timed(case, rounds)
    del case
    peaks = [] if quick else [call_in_fresh_process(Path(__file__), "--row", row.name, "--arm", arm) for arm in ARMS]
    bar = "" if row.bar is None else f"{row.bar}x {'reached' if time.ratio >= row.bar else 'MISSED'}"
    sizes = [f"{peak['peak']:.0f} (call {peak['call']:.0f})" for peak in peaks] or ["", ""]
    seconds = (f"{1000 * s:.0f}" for s in (time.stock, time.twin))
    return cells(row.piece, row.precision, equal, span(time), f"{time.cpu_ratio:.2f}", *seconds, *sizes, bar)


@torch.no_grad()
def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--quick", action="store_true", help="the smallest sizes, one round, nothing written")
    arguments.add_argument("--only", default="", help="rows whose name contains this")
    arguments.add_argument("--row", help=argparse.SUPPRESS)  # in a fresh process: the memory of one arm
    arguments.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.row:
        row = next(row for row in rows(options.quick) if row.name == options.row)
        print(json.dumps(peak_of(getattr(row.build(), options.arm))))
        return
    lines = [machine(), "", cells(*COLUMNS), cells(*["---"] * len(COLUMNS))]
    print("\n".join(lines), flush=True)
    left_out = [] if options.quick or has_bf16() else ["bf16"]
    for row in rows(options.quick):
        if options.only in row.name and row.precision not in left_out:
            lines.append(line(row, 1 if options.quick else options.rounds, options.quick))
            print(lines[-1], flush=True)
    if not options.quick and not options.only:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text("\n".join(["# The twins against what they replace", "", *lines, ""]))


if __name__ == "__main__":
    main()
