"""The whole VAE, in the place of `pipe.vae`: whole clips, streams of any length, tiles."""

from collections.abc import Iterable, Iterator
from functools import wraps

import torch
from diffusers import AutoencoderKLCogVideoX
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils.accelerate_utils import apply_forward_hook
from torch import nn

from cogkit.shapes import check_frames, check_size
from cogkit.twin import ConfigError, ModelTwin
from cogkit.vae.networks import Decoder, Encoder
from cogkit.vae.passage import clip_through, cut, stream_through
from cogkit.vae.posterior import Posterior
from cogkit.vae.stream import Map, NewMap
from cogkit.vae.tiling import Tiles, plan_tiles


class CausalVAE(ModelTwin, AutoencoderKLCogVideoX):
    """Video <-> latents: 4x in time, 8x in space. AutoencoderKLCogVideoX, written again to be read.

    It is a subclass for everything that is not arithmetic: loading, saving, offloading, slicing, the switches of tiling
    and type checks are diffusers' own. Neither the original's __init__ nor its encode or decode runs.

    Unlike the stock class it gives back every 4k + 1 frames of 8m x 8n pixels as they came, and takes no others;
    `as_released = True` brings the stock behaviour back, bit by bit. A chunk's norms see that chunk only, so chunks are
    part of what is computed: 8 frames or 2 latent ones (`num_*_frames_batch_size`), the first with frame 0 in addition.
    Released: widths 128, 256, 256, 512; 3 resnets a row (decoder: 4), groups of 32, 16 latent channels.
    Takes and gives unscaled latents; the pipeline multiplies by `config.scaling_factor`.
    """

    stock = AutoencoderKLCogVideoX
    _no_split_modules = ["Resnet"]

    @register_to_config
    @wraps(AutoencoderKLCogVideoX.__init__)  # so the config is its config, with its names and defaults
    def __init__(self, *_, **__):
        ModelMixin.__init__(self)
        c = self.config
        if c.use_quant_conv or c.use_post_quant_conv or c.act_fn != "silu":
            raise ConfigError(
                f"{c.act_fn=}, {c.use_quant_conv=}, {c.use_post_quant_conv=}: a CogVideoX VAE has 'silu' and no quant "
                "convolutions; keep the stock AutoencoderKLCogVideoX for this checkpoint"
            )
        self.encoder, self.decoder = Encoder(c), Decoder(c)
        self.frames_per_latent = int(c.temporal_compression_ratio)
        self.pixels_per_latent = 2 ** (len(c.block_out_channels) - 1)
        self.num_latent_frames_batch_size, self.num_sample_frames_batch_size = 2, 8
        self.tile_sample_min_height, self.tile_sample_min_width = c.sample_height // 2, c.sample_width // 2
        self.enable_tiling(tile_overlap_factor_height=1 / 6, tile_overlap_factor_width=1 / 5)
        self.use_slicing = self.use_tiling = False

    @apply_forward_hook
    def encode(self, x: Map, return_dict: bool = True) -> AutoencoderKLOutput | tuple[Posterior]:
        """Pixels in [-1, 1] -> the distribution of their latents. Raises SizeError but for 4k + 1 frames of 8m x 8n."""
        if not self.as_released:
            check_frames(x.shape[2], self.frames_per_latent)
        posterior = Posterior(self._clip(self.encoder, self._whole(x)), self.as_released)
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
        As released it has to know the length, `frames`. Raises SizeError as `encode`; for the frames, at the end.
        """
        fold = 1 if self.as_released else self.frames_per_latent
        for moments in self._stream(self.encoder, map(self._whole, pieces), frames, fold):
            yield Posterior(moments, self.as_released)

    @apply_forward_hook
    def decode_stream(self, pieces: Iterable[Map], latent_frames: int | None = None) -> Iterator[NewMap]:
        """Decode latents that arrive in pieces of any length, in constant memory and without gradients.

        Yields 9, 8, 8, ... frames; laid end to end, they are what `decode` gives under no_grad, bit by bit.
        """
        yield from self._stream(self.decoder, pieces, latent_frames)

    def _stream(self, network: nn.Module, pieces: Iterable[Map], total: int | None, fold: int = 1) -> Iterator[NewMap]:
        size, as_released, tiles = self._how(network)
        unlinked = torch.no_grad()(network.__call__)  # gradients would tie every chunk to all chunks before it
        return stream_through(unlinked, cut(pieces, size, total, as_released, fold), as_released, tiles)

    def _clip(self, network: nn.Module, x: Map) -> NewMap:
        clips = x.split(1) if self.use_slicing else [x]
        return torch.cat([clip_through(network, clip, *self._how(network)) for clip in clips])

    def _whole(self, pixels: Map) -> Map:
        if not self.as_released:
            check_size(*pixels.shape[3:], self.pixels_per_latent)
        return pixels

    def _how(self, network: nn.Module) -> tuple[int, bool, Tiles | None]:
        """Frames of a chunk, `as_released`, and the tiles if there are any."""
        pixels = (self.tile_sample_min_height, self.tile_sample_min_width)
        latents = (self.tile_latent_min_height, self.tile_latent_min_width)
        overlap = (self.tile_overlap_factor_height, self.tile_overlap_factor_width)
        if network is self.encoder:
            frames, tiles = self.num_sample_frames_batch_size, plan_tiles(pixels, latents, overlap)
        else:
            frames, tiles = self.num_latent_frames_batch_size, plan_tiles(latents, pixels, overlap)
        return frames, self.as_released, tiles if self.use_tiling else None
