"""Notebook 01: what a causal convolution reads, how a clip is cut into chunks, how far back a latent sees, flicker."""

import torch

from cogkit.teaching import Exercise, check


def put_past(x, past):
    """Frames x (b c t h w) behind the two frames before them: the chunk before left `past`, or None did."""
    past = x[:, :, :1].repeat(1, 1, 2, 1, 1) if past is None else past
    return torch.cat([past, x], dim=2)


def _frames(*values):
    return torch.tensor(values, dtype=torch.float32)[None, None, :, None, None].expand(1, 3, -1, 2, 2)


def _test_put_past(answer):
    x, past = _frames(1, 2, 3), _frames(8, 9)
    first = answer(x, None)
    check("two frames more than before", first.shape[2], equals=5)
    check("at the start the first frame is repeated, in front", first, equals=_frames(1, 1, 1, 2, 3))
    check("later the past stands in front", answer(x, past), equals=_frames(8, 9, 1, 2, 3))


def zeros_in_front(x, past):
    return put_past(x, torch.zeros_like(x[:, :, :1]).repeat(1, 1, 2, 1, 1) if past is None else past)


def one_on_each_side(x, past):
    return torch.cat([x[:, :, :1], x, x[:, :, -1:]], dim=2)


def the_past_forgotten(x, past):
    return put_past(x, None)


def the_past_behind(x, past):
    return put_past(x, None) if past is None else torch.cat([x, past], dim=2)


def mirrored(x, past):
    return put_past(x, x[:, :, 1:3].flip(2) if past is None else past)


PUT_PAST = Exercise(
    "put_past",
    put_past,
    _test_put_past,
    (
        "x[:, :, :1] is the first frame, still with its time axis; .repeat(1, 1, 2, 1, 1) makes two of it",
        "torch.cat([past, x], dim=2) in both cases; only where `past` comes from differs",
    ),
    (zeros_in_front, one_on_each_side, the_past_forgotten, the_past_behind, mirrored),
)


def chunk_lengths(frames: int) -> list[int]:
    """Frame 0 and eight more, then eight at a time, then what is left."""
    return [min(9, frames)] + [min(8, frames - start) for start in range(9, frames, 8)]


def _test_chunk_lengths(answer):
    check("one frame is one chunk", answer(1), equals=[1])
    check("a clip of 5 fits into the first chunk", answer(5), equals=[5])
    check("49 frames", answer(49), equals=[9, 8, 8, 8, 8, 8])
    check("13 frames: what is left comes last", answer(13), equals=[9, 4])
    everything = {frames: answer(frames) for frames in range(1, 66, 4)}
    check("no frame is lost", [sum(lengths) for lengths in everything.values()], equals=list(everything))
    later = [n for lengths in everything.values() for n in lengths[1:]]
    check("after the first chunk there are whole groups of four", {n % 4 for n in later} == {0})


def remainder_first(frames):
    return [8 + frames % 8] + [8] * (frames // 8 - 1) if frames >= 8 else [frames]


def frame_0_alone(frames):
    return [1] + [min(8, frames - start) for start in range(1, frames, 8)]


def eights_from_the_start(frames):
    return [min(8, frames - start) for start in range(0, frames, 8)]


def rest_dropped(frames):
    return [min(9, frames)] + [8] * ((frames - 9) // 8)


CHUNK_LENGTHS = Exercise(
    "chunk_lengths",
    chunk_lengths,
    _test_chunk_lengths,
    (
        "the first chunk holds frame 0 and up to eight more: min(9, frames)",
        "range(9, frames, 8) gives the start of every later chunk; it is 8 long, or shorter at the end",
    ),
    (remainder_first, frame_0_alone, eights_from_the_start, rest_dropped),
)


def frames_seen(resnets: int) -> int:
    """How many frames one latent frame can see, if every row of the encoder has that many resnets."""
    row = resnets * 2 * 2  # two convolutions a resnet, each sees two frames further back
    full, half, quarter = 2 + row, row, 2 * row + 2 * 2 * 2 + 2  # conv_in; two rows, mid block, conv_out
    return 4 + full + 2 * half + 4 * quarter


def _test_frames_seen(answer):
    from cogkit.vae.autoencoder import CausalVAE
    from cogkit.vae.stream import Stream

    for resnets, last in ((1, 27), (2, 38)):
        seen = answer(resnets)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            sizes = {"block_out_channels": [2] * 4, "latent_channels": 1, "norm_num_groups": 1}
            encoder = CausalVAE(layers_per_block=resnets, **sizes).encoder.double()
        for norm in [m for m in encoder.modules() if isinstance(m, torch.nn.GroupNorm)]:
            norm.forward = lambda x, stream: x  # what is left are convolutions
        clip = torch.rand(1, 3, 4 * last + 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        clip.requires_grad_()
        with torch.enable_grad():
            encoder(clip, Stream())[:, :, last].sum().backward()
        measured = int((clip.grad.abs().amax((0, 1, 3, 4)) > 0).sum())
        check(f"with {resnets} resnets a row, a gradient reaches as many frames", seen, equals=measured)


def all_at_full_rate(resnets):
    return 4 + 2 + 4 * 4 * resnets + 8 + 2


def one_convolution_a_resnet(resnets):
    return 4 + (2 + 2 * resnets) + 2 * 2 * resnets + 4 * (4 * resnets + 4 + 2)


def mid_block_forgotten(resnets):
    return 4 + (2 + 4 * resnets) + 8 * resnets + 4 * (8 * resnets + 2)


def only_the_past(resnets):
    return frames_seen(resnets) - 4


FRAMES_SEEN = Exercise(
    "frames_seen",
    frames_seen,
    _test_frames_seen,
    (
        "a step back at half rate is worth 2 frames, at quarter rate 4; the latent itself stands for 4",
        "full rate: conv_in and a row; half rate: a row; quarter rate: two rows, two more resnets, conv_out",
    ),
    (all_at_full_rate, one_convolution_a_resnet, mid_block_forgotten, only_the_past),
)


def flicker(frames) -> float:
    """The paper's measure: mean |difference| between neighbouring frames. frames: (F H W 3), 0..255, uint8."""
    frames = torch.as_tensor(frames).float()
    return (frames[1:] - frames[:-1]).abs().mean().item()


def _test_flicker(answer):
    still = torch.full((4, 2, 2, 3), 200, dtype=torch.uint8)
    check("a still clip does not flicker", answer(still.numpy()), equals=0.0, within=1e-6)
    lamp = torch.tensor([10, 40, 20], dtype=torch.uint8)[:, None, None, None].expand(3, 2, 2, 3)
    check("steps of 30 and of 20 are 25 on average", answer(lamp.numpy()), equals=25.0, within=1e-4)


def bytes_wrap_around(frames):
    return (frames[1:] - frames[:-1]).astype(float).mean().item()


def signs_cancel(frames):
    return torch.as_tensor(frames).float().diff(dim=0).mean().item()


def squared(frames):
    return torch.as_tensor(frames).float().diff(dim=0).square().mean().item()


def against_the_first(frames):
    frames = torch.as_tensor(frames).float()
    return (frames[1:] - frames[:1]).abs().mean().item()


def within_a_frame(frames):
    return torch.as_tensor(frames).float().diff(dim=1).abs().mean().item()


FLICKER = Exercise(
    "flicker",
    flicker,
    _test_flicker,
    (
        "frames[1:] - frames[:-1] pairs every frame with the one before; bytes wrap around, so make them floats first",
        "the absolute value first, then one mean over everything",
    ),
    (bytes_wrap_around, signs_cancel, squared, against_the_first, within_a_frame),
)
