"""The whole VAE, in the place of `pipe.vae`: whole clips, streams of any length, tiles."""

from collections.abc import Iterable, Iterator

import torch
from diffusers import AutoencoderKLCogVideoX
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils.accelerate_utils import apply_forward_hook
from torch import nn

from cogkit.twin import ModelTwin
from cogkit.vae.decoder import Decoder
from cogkit.vae.encoder import Encoder
from cogkit.vae.passage import check_causal_frames, clip_through, cut, stream_through
from cogkit.vae.posterior import Posterior
from cogkit.vae.stream import Map, NewMap
from cogkit.vae.tiling import Tiles, plan_tiles


class VAEConfigError(ValueError):
    """A config that asks for what no CogVideoX VAE has."""


class CausalVAE(ModelTwin, AutoencoderKLCogVideoX):
    """Video <-> latents: 4x in time, 8x in space. AutoencoderKLCogVideoX, written again to be read.

    It is a subclass for everything that is not arithmetic: loading, saving, offloading, slicing, the switches of tiling
    and type checks are diffusers' own. Neither the original's __init__ nor its encode or decode runs.

    Unlike the stock class it gives back every 4k + 1 frames as they came; `as_released = True` brings the stock
    behaviour back, bit by bit. A chunk's norms see that chunk only, so chunks are part of what is computed:
    8 frames or 2 latent ones (`num_*_frames_batch_size`), after a first one with frame 0 in addition.
    Takes and gives unscaled latents; the pipeline multiplies by `config.scaling_factor`.
    """

    stock = AutoencoderKLCogVideoX
    _no_split_modules = ["Resnet"]
    _supports_gradient_checkpointing = False

    @register_to_config
    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        down_block_types: tuple[str, ...] | list[str] = ("CogVideoXDownBlock3D",) * 4,
        up_block_types: tuple[str, ...] | list[str] = ("CogVideoXUpBlock3D",) * 4,
        block_out_channels: tuple[int, ...] | list[int] = (128, 256, 256, 512),
        latent_channels: int = 16,
        layers_per_block: int = 3,
        act_fn: str = "silu",
        norm_eps: int | float = 1e-6,
        norm_num_groups: int = 32,
        temporal_compression_ratio: int | float = 4,
        sample_height: int = 480,
        sample_width: int = 720,
        scaling_factor: int | float = 1.15258426,
        shift_factor: int | float | None = None,
        latents_mean: tuple | list | None = None,
        latents_std: tuple | list | None = None,
        force_upcast: bool | float = True,
        use_quant_conv: bool = False,
        use_post_quant_conv: bool = False,
        invert_scale_latents: bool = False,
    ):
        ModelMixin.__init__(self)
        if use_quant_conv or use_post_quant_conv or act_fn != "silu":
            raise VAEConfigError(
                f"{act_fn=}, {use_quant_conv=}, {use_post_quant_conv=}: a CogVideoX VAE has 'silu' and no quant "
                "convolutions; keep the stock AutoencoderKLCogVideoX for this checkpoint"
            )
        self.encoder, self.decoder = Encoder(self.config), Decoder(self.config)
        self.num_latent_frames_batch_size, self.num_sample_frames_batch_size = 2, 8
        self.tile_sample_min_height, self.tile_sample_min_width = sample_height // 2, sample_width // 2
        self.enable_tiling(tile_overlap_factor_height=1 / 6, tile_overlap_factor_width=1 / 5)
        self.use_slicing = self.use_tiling = False

    @apply_forward_hook
    def encode(self, x: Map, return_dict: bool = True) -> AutoencoderKLOutput | tuple[Posterior]:
        """Pixels in [-1, 1] -> the distribution of their latents. Raises SizeError unless there are 4k + 1 frames."""
        if not self.as_released:
            check_causal_frames(x.shape[2], self._frames_per_latent)
        posterior = Posterior(self._clip(self.encoder, x), self.as_released)
        return AutoencoderKLOutput(latent_dist=posterior) if return_dict else (posterior,)

    @apply_forward_hook
    def decode(self, z: Map, return_dict: bool = True) -> DecoderOutput | tuple[NewMap]:
        """Latents -> pixels: t latent frames become 4 (t - 1) + 1."""
        video = self._clip(self.decoder, z)
        return DecoderOutput(sample=video) if return_dict else (video,)

    @apply_forward_hook
    def encode_stream(self, pieces: Iterable[Map], frames: int | None = None) -> Iterator[Posterior]:
        """Encode a video that arrives in pieces of any length, in constant memory and without gradients.

        Yields chunk by chunk; laid end to end, the means are those of `encode` under no_grad, bit by bit.
        `frames`, the length of the video, is only needed as released: StreamError without it. Raises SizeError at the
        end of a video that is not 4k + 1 frames long.
        """
        fold = 1 if self.as_released else self._frames_per_latent
        for moments in self._stream(self.encoder, pieces, frames, fold):
            yield Posterior(moments, self.as_released)

    @apply_forward_hook
    def decode_stream(self, pieces: Iterable[Map], latent_frames: int | None = None) -> Iterator[NewMap]:
        """Decode latents that arrive in pieces of any length, in constant memory and without gradients.

        Yields 9, 8, 8, ... frames; laid end to end, they are what `decode` gives under no_grad, bit by bit.
        """
        yield from self._stream(self.decoder, pieces, latent_frames)

    def _stream(self, network: nn.Module, pieces: Iterable[Map], total: int | None, fold: int = 1) -> Iterator[NewMap]:
        chunks = cut(pieces, self._chunk(network), total, self.as_released, fold)
        unlinked = torch.no_grad()(network.__call__)  # gradients would tie every chunk to all chunks before it
        return stream_through(unlinked, chunks, self.as_released, self._tiles(network))

    def _clip(self, network: nn.Module, x: Map) -> NewMap:
        how = self._chunk(network), self.as_released, self._tiles(network)
        return torch.cat([clip_through(network, clip, *how) for clip in (x.split(1) if self.use_slicing else [x])])

    def _chunk(self, network: nn.Module) -> int:
        return self.num_sample_frames_batch_size if network is self.encoder else self.num_latent_frames_batch_size

    def _tiles(self, network: nn.Module) -> Tiles | None:
        pixels = (self.tile_sample_min_height, self.tile_sample_min_width)
        latents = (self.tile_latent_min_height, self.tile_latent_min_width)
        sizes = (pixels, latents) if network is self.encoder else (latents, pixels)
        overlap = (self.tile_overlap_factor_height, self.tile_overlap_factor_width)
        return plan_tiles(*sizes, overlap) if self.use_tiling else None

    @property
    def _frames_per_latent(self) -> int:
        return int(self.config.temporal_compression_ratio)
