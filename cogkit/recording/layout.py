"""How one transformer call is laid out: which rows of the batch are which branch, which tokens are text and video."""

from dataclasses import dataclass
from typing import NamedTuple

from cogkit.recording.tokens import TextSlots


@dataclass(frozen=True)
class Layout:
    """Batch rows run branch by branch (guidance puts "uncond" first); tokens run text first, then frame, y, x."""

    samples: int
    branches: tuple[str, ...]  # ("uncond", "cond"), or ("cond",) without guidance
    text: int  # text slots
    frames: int  # latent frames after patching (CogVideoX 1.5 folds two into one)
    height: int  # tokens
    width: int  # tokens
    latents: tuple[int, int, int, int]  # latent frames, channels, y, x: one sample of what the sampler holds
    train_timesteps: tuple[int, ...]  # one a step
    prompts: tuple[TextSlots, ...] = ()  # one a sample; empty when only embeddings were given
    negatives: tuple[TextSlots, ...] = ()

    @property
    def steps(self) -> int:
        return len(self.train_timesteps)

    @property
    def video(self) -> int:
        return self.frames * self.height * self.width

    @property
    def tokens(self) -> int:
        return self.text + self.video

    def batch_rows(self, branches: tuple[str, ...]) -> list[int]:
        """The batch rows of these branches, in order: branch by branch, sample by sample."""
        found = [self.branches.index(branch) for branch in branches]
        return [branch * self.samples + sample for branch in found for sample in range(self.samples)]

    def slots(self, branch: str, sample: int) -> TextSlots | None:
        texts = self.negatives if branch == "uncond" else self.prompts
        return texts[sample] if texts else None

    def token(self, frame: int, y: int, x: int) -> int:
        """The place of a video token in the joint sequence.

        Raises IndexError, which names the axis, when it lies outside of the grid.
        """
        for axis, value, size in (("frame", frame, self.frames), ("y", y, self.height), ("x", x, self.width)):
            if not 0 <= value < size:
                raise IndexError(f"{axis}={value} is outside of the token grid; it has {size}: 0 to {size - 1}")
        return self.text + (frame * self.height + y) * self.width + x


def patch_grid(config, latent_frames: int, height: int, width: int) -> tuple[int, int, int]:
    """Latent frames and latent pixels -> the token grid (frames, height, width)."""
    patch, patch_t = config.patch_size, getattr(config, "patch_size_t", None) or 1
    return -(-latent_frames // patch_t), height // patch, width // patch


class VaeSizes(NamedTuple):
    """What the shapes of a VAE's answers follow from."""

    space: int  # pixels of a latent pixel
    time: int  # frames of a latent frame
    chunk: int  # latent frames that are decoded at once
    channels: int  # of a frame
    latent_channels: int
    image: bool  # only one frame is encoded
    as_twin: bool  # the readable VAE, which gives back 4k + 1 frames


class Anatomy(NamedTuple):
    """The sizes of a transformer, and of the VAE beside it."""

    layers: int
    heads: int
    head_width: int
    time: int  # width of temb
    out: int  # channels of final.proj
    text: int  # width of prompt_embeds
    vae: VaeSizes | None = None

    @property
    def width(self) -> int:
        return self.heads * self.head_width


class PipelineError(ValueError):
    """What was given is not a CogVideoX pipeline."""


def anatomy(pipe) -> Anatomy:
    try:
        c = pipe.transformer.config
        out = c.out_channels * c.patch_size**2 * (getattr(c, "patch_size_t", None) or 1)
        heads = c.num_attention_heads, c.attention_head_dim
        return Anatomy(
            c.num_layers, *heads, c.time_embed_dim, out, c.text_embed_dim, _vae_sizes(getattr(pipe, "vae", None), c)
        )
    except AttributeError as error:
        raise PipelineError(f"a {type(pipe).__name__} is no CogVideoX pipeline: {error}; give the pipeline") from None


def _vae_sizes(vae, transformer) -> VaeSizes | None:
    if vae is None:  # a pipeline that ends at latents can do without
        return None
    c, as_twin = vae.config, not getattr(vae, "as_released", True)
    space, image = 2 ** (len(c.block_out_channels) - 1), transformer.in_channels > transformer.out_channels
    chunk, time = vae.num_latent_frames_batch_size, int(c.temporal_compression_ratio)
    return VaeSizes(space, time, chunk, c.out_channels, c.latent_channels, image, as_twin)
