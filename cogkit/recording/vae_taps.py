"""The VAE's two networks: what comes out of them chunk by chunk, laid end to end."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from torch import Tensor

from cogkit.recording.layout import Anatomy, Layout
from cogkit.recording.points import VAE
from cogkit.recording.slabs import Slab
from cogkit.recording.visitor import RecordError


def tap_vae(board, kinds: frozenset[str]) -> list[Callable[[], None]]:
    """Hooks on the networks themselves: `encode` and `decode` are no forward calls, and call them once a chunk.

    Raises RecordError for a pipeline without a VAE.
    """

    def send(kind: str, out) -> None:
        value = out[0] if isinstance(out, tuple) else out  # the stock ones also return their cache
        if board.layout is None:  # an image is encoded before the first step
            board.early.append((kind, value))
        else:
            board.send(kind, None, value)

    if board.pipe.vae is None and kinds & set(VAE):
        raise RecordError("this pipeline has no VAE; load one, or leave the hook points vae.* out")
    networks = [(kind, getattr(board.pipe.vae, kind.removeprefix("vae."))) for kind in VAE if kind in kinds]
    return [net.register_forward_hook(lambda m, i, out, kind=kind: send(kind, out)).remove for kind, net in networks]


class VaeRecorder:
    """Frames as the decoder gives them, before they are clipped; moments (mean, then log variance) of the encoder."""

    scratch = work = 0
    layers, steps = None, ()
    causes = "output_type='latent' (nothing is decoded), no image to encode, or the VAE ran outside of the block"

    def __init__(self, kind: str, dtype: str, layout: Layout, anatomy: Anatomy):
        self.kind, self.kinds, sizes = kind, frozenset({kind}), anatomy.vae
        latent_frames, channels, height, width = layout.latents
        if kind == "vae.decoder":
            frames, channels = frames_of(latent_frames, sizes.chunk, sizes.time, sizes.as_twin), sizes.channels
            height, width = height * sizes.space, width * sizes.space
            most = (sizes.chunk + 1) * sizes.time  # frames of a write, at the most
        else:
            frames, channels, most = 1 if sizes.image else latent_frames, 2 * sizes.latent_channels, 1
        axes = {"sample": layout.samples, "frame": frames, "channel": channels, "y": height, "x": width}
        notes = {"hook_point": kind}
        self.slabs = [Slab(kind, "value", axes, {}, dtype, notes, ("sample", "frame"), min(most, frames))]
        self.sample = self.frame = 0  # where the next chunk goes

    def meet(self, pipe) -> None:
        """Raises RecordError, before the first step, for a VAE that will not be shown whole frames."""
        vae, config = pipe.vae, pipe.transformer.config
        size = self.slabs[0].axes["y"], self.slabs[0].axes["x"]
        if self.kind == "vae.encoder":
            size = [side * 2 ** (len(vae.config.block_out_channels) - 1) for side in size]
        if vae.use_tiling and (size[0] > vae.tile_sample_min_height or size[1] > vae.tile_sample_min_width):
            raise RecordError(f"{self.kind} works on tiles here; pipe.vae.disable_tiling(), or record without it")
        if getattr(config, "patch_size_t", None) and self.kind == "vae.decoder":
            raise RecordError("vae.decoder: 1.5 drops padding frames unseen; decode run['latents'][-1] apart instead")

    def wants(self, kind: str, layer: int | None, step: int) -> bool:
        return kind == self.kind

    def read(self, kind: str, layer: int | None, value: Tensor, step: int) -> Iterator:
        slab = self.slabs[0]
        samples, frames = value.shape[0], value.shape[2]
        place = slice(self.sample, self.sample + samples), slice(self.frame, self.frame + frames)
        if place[0].stop > slab.axes["sample"] or place[1].stop > slab.axes["frame"]:
            raise RecordError(f"{kind} gave more than this run's frames; a recording holds one run")
        self.frame += frames
        if self.frame == slab.axes["frame"]:
            self.sample, self.frame = self.sample + samples, 0
        yield replace(slab, at=place), value.transpose(1, 2)


def frames_of(latent_frames: int, chunk: int, time: int, as_twin: bool) -> int:
    """Frames that the decoder makes of them: the first of a chunk of odd length is not multiplied.

    The stock VAE puts the remainder into the first chunk; the readable one has 1 + `chunk` there, and 4 (t - 1) + 1.
    """
    if as_twin:
        return (latent_frames - 1) * time + 1
    whole, rest = max(latent_frames // chunk, 1), latent_frames % chunk
    lengths = [min(latent_frames, chunk + rest)] + [chunk] * (whole - 1)
    return sum(1 + (n - 1) * time if n % 2 else n * time for n in lengths)
