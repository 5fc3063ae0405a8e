"""A ten-minute video through the VAE and back, in constant memory; and what a clip's length costs otherwise.

    .venv/bin/python benchmarks/streaming.py [--minutes 10] [--size 64] [--quick]

The nano VAE in fp32. First a table: peak memory of decoding clips of growing length, with diffusers' VAE, with the twin
on the whole clip, and with its stream; each from a fresh process, after the results have been found equal. Then
`minutes` of video at 8 frames a second go through encode_stream into decode_stream, with the peak of every minute. Ends
with an error if the memory grows. Prints both as Markdown and writes them to benchmarks/results/streaming.md; it takes
about seven minutes. `--quick` takes the shortest clip and a few seconds of video, and writes nothing.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from side_by_side import call_in_fresh_process, cells, forget_peak, machine, memory, peak_of
from torch import Tensor

import cogkit
from cogkit.vae.autoencoder import CausalVAE

RESULT = Path(__file__).parent / "results" / "streaming.md"
LENGTHS = (17, 65, 257)  # frames
FRAMES_PER_MINUTE = 8 * 60
GROWTH, SLACK = 1.05, 10  # a minute may take 5 % and 10 MB more than the first one: allocators breathe


def video(frames: int, size: int, piece: int = 48) -> Iterator[Tensor]:
    """A bright bar that wanders over a gray background, in pieces of (1, 3, up to `piece`, size, size)."""
    for start in range(0, frames, piece):
        t = torch.arange(start, min(start + piece, frames))
        column = torch.arange(size)
        bar = ((column[None] - 2 * t[:, None]) % size < size // 4).float()  # (t, x)
        yield (bar - 0.5)[None, None, :, None, :].expand(1, 3, -1, size, -1).contiguous()


def arms(size: int, frames: int) -> dict:
    """Three ways to decode the same latents; each answers with the frames, the stream piece by piece."""
    stock = cogkit.load("nano", torch.float32).vae
    twin = CausalVAE.from_stock(stock)
    z = torch.cat([piece.mode() for piece in twin.encode_stream(video(frames, size))], dim=2)
    return {
        "diffusers": lambda: [stock.decode(z).sample],
        "twin": lambda: [twin.decode(z).sample],
        "stream": lambda: twin.decode_stream([z]),
    }


def check_equal(size: int, frames: int) -> str:
    stock, twin, stream = (torch.cat(list(decode()), dim=2) for decode in arms(size, frames).values())
    assert torch.equal(twin, stream), "the stream is not the whole clip"
    difference = (stock - twin).abs().max().item()
    assert difference < 1e-5, f"twin and diffusers differ by {difference:.1e}"
    return f"stream and whole clip bit-equal, {difference:.0e} from diffusers"


def lengths(size: int, clips: tuple[int, ...]) -> Iterator[str]:
    """The table of peaks. What a call returns counts, except for the stream, whose caller keeps what he wants."""
    columns = ("frames", "equal?", "peak of the call, MB: diffusers", "twin, whole clip", "twin, stream")
    yield from (cells(*columns), cells(*["---"] * len(columns)))
    for frames in clips:
        peaks = []
        for arm in ("diffusers", "twin", "stream"):
            found = call_in_fresh_process(Path(__file__), "--arm", arm, "--frames", str(frames), "--size", str(size))
            peaks.append(f"{found['call']:.0f}")
        yield cells(str(frames), check_equal(size, frames), *peaks)


def long_video(minutes: float, size: int) -> Iterator[str]:
    """The table of minutes. Exits with a sentence if frames are missing or the memory grows."""
    vae = CausalVAE.from_stock(cogkit.load("nano", torch.float32).vae)
    frames = int(minutes * FRAMES_PER_MINUTE) // 4 * 4 + 1
    latents = (posterior.mode() for posterior in vae.encode_stream(video(frames, size)))
    yield f"{frames} frames of {size} x {size} through encode_stream into decode_stream; peaks of the whole process:"
    yield from ("", cells("minute", "peak, MB"), cells("---", "---"))
    forget_peak()  # what the clips took is no measure for the first minute
    done, peaks, since = 0, [], time.perf_counter()
    for part in vae.decode_stream(latents):
        before, done = done, done + part.shape[2]
        if done // FRAMES_PER_MINUTE > before // FRAMES_PER_MINUTE or done == frames:
            peaks.append(memory("VmHWM"))
            Path("/proc/self/clear_refs").write_text("5")  # the next minute gets a peak of its own
            yield cells(f"{done / FRAMES_PER_MINUTE:.1f}", f"{peaks[-1]:.0f}")
    seconds = time.perf_counter() - since
    if done != frames:
        sys.exit(f"{frames} frames went in and {done} came back")
    if max(peaks[1:], default=0) > peaks[0] * GROWTH + SLACK:
        sys.exit(f"memory grew from {peaks[0]:.0f} to {max(peaks):.0f} MB")
    yield from ("", f"{done} frames came back in {seconds:.0f} s: {done / seconds:.0f} frames a second.")


@torch.no_grad()
def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--minutes", type=float, default=10)
    arguments.add_argument("--size", type=int, default=64)
    arguments.add_argument("--quick", action="store_true", help="a clip and a few seconds of video, nothing written")
    arguments.add_argument("--frames", type=int, help=argparse.SUPPRESS)
    arguments.add_argument("--arm", help=argparse.SUPPRESS)  # in a fresh process: the memory of one arm
    options = arguments.parse_args()
    if options.arm:
        decode = arms(options.size, options.frames)[options.arm]
        print(json.dumps(peak_of(lambda: sum(len(part) for part in decode()))))
        return
    minutes, clips = (0.1, LENGTHS[:1]) if options.quick else (options.minutes, LENGTHS)
    lines = []
    for text in chain([machine(), ""], lengths(options.size, clips), [""], long_video(minutes, options.size)):
        lines.append(text)
        print(text, flush=True)
    if not options.quick:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text("\n".join(["# A video of any length in constant memory", "", *lines, ""]))


if __name__ == "__main__":
    main()
