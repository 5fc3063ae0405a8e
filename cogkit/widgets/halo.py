"""One long video on several processes: what each holds, and what it receives from its left neighbour alone."""

from cogkit.plots.figure import Picture
from cogkit.plots.tables import listed
from cogkit.plots.timeline import frame_shares
from cogkit.shapes import SizeError, latent_frames, pixel_frames, time_shares
from cogkit.widgets.controls import choice, slider, stops
from cogkit.widgets.picture import Explorer

PAST = 2  # frames besides its own that a causal convolution of 3 reads
RATES = {"latent frames": False, "pixel frames": True}


def look(frames: int, ranks: int, rank: int, depth: int, pixels: bool) -> tuple[Picture, str]:
    """`frames` on so many `ranks`; what `rank` needs before one causal convolution of 3, and behind `depth` of them."""
    latents = time_shares(latent_frames(frames), ranks)
    if rank >= ranks:
        raise SizeError(f"rank={rank} is not there: {ranks} ranks count from 0 to {ranks - 1}")
    ends = [pixel_frames(share.stop) for share in latents]
    shares = [range(a, b) for a, b in zip([0, *ends], ends, strict=False)] if pixels else latents
    own, kind = shares[rank], "pixel frames" if pixels else "latent frames"
    halo = range(max(own.start - PAST, 0), own.start)
    reach = range(max(own.start - PAST * depth, 0), own.start)
    figure = frame_shares(shares, halo, reach, rank, pixels, _title(rank, halo, kind))
    asked = [str(k) for k, share in enumerate(shares) if share.start < reach.stop and share.stop > reach.start]
    readout = f"Rank {rank} holds latent frames {_span(latents[rank])}, which are pixel frames "
    readout += f"{_span(range([0, *ends][rank], ends[rank]))}. "
    if not halo:
        return figure, readout + f"It holds the start, so it repeats its frame 0 {PAST} times and receives nothing."
    return figure, readout + (
        f"Before each convolution it receives {len(halo)} {kind}, {_span(halo)}, from rank {rank - 1}. "
        f"{depth} convolutions take {depth} messages, {depth * len(halo)} frames in all. By then its first frame "
        f"depends on {len(reach)} {kind} of rank{'s' * (len(asked) > 1)} {listed(asked)} (gray). "
        f"A process alone would hold {shares[-1].stop} instead of {len(own)}."
    )


def _title(rank: int, halo: range, kind: str) -> str:
    if not halo:
        return f"Rank {rank} holds the start and needs nobody"
    return f"Rank {rank} receives {kind} {_span(halo)} from rank {rank - 1} (hatched)"


def _span(frames: range) -> str:
    return f"{frames[0]} to {frames[-1]}" if len(frames) > 1 else f"{frames[0]}"


class HaloExplorer(Explorer):
    """The split of the original code (SAT): equal parts, frame 0 extra for rank 0. What does not fit is refused.

    The slider of the rank ends at the last one.
    """

    def __init__(self, frames: int = 49, ranks: int = 4, rank: int = 2):
        count, which = slider("ranks (processes)", 1, 8, ranks), slider("look at rank", 0, ranks - 1, rank)

        def fit(change):
            which.max = count.value - 1

        count.observe(fit, names="value")  # before the picture is drawn: observers are called in order
        super().__init__(
            look,
            frames=stops("frames", (17, 33, 49, 97, 161), frames),
            ranks=count,
            rank=which,
            depth=slider("convolutions in a row", 1, 12, 4),
            pixels=choice("they convolve", RATES, False),
        )
