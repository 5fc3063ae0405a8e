"""The whole VAE, in the place of `pipe.vae`: whole clips, streams of any length, tiles."""

from collections.abc import Iterable, Iterator
from math import log2

import torch
from diffusers import AutoencoderKLCogVideoX
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.autoencoders.vae import AutoencoderMixin, DecoderOutput
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils.accelerate_utils import apply_forward_hook
from torch import Generator, nn

from cogkit.vae.decoder import Decoder
from cogkit.vae.encoder import Encoder
from cogkit.vae.passage import check_causal_frames, clip_through, cut, stream_through, without_gradients
from cogkit.vae.posterior import Posterior
from cogkit.vae.stream import Map, NewMap
from cogkit.vae.tiling import Tiles, plan_tiles

SETTINGS = (  # what can be switched on a finished VAE; not part of its config
    *("use_slicing", "use_tiling", "num_latent_frames_batch_size", "num_sample_frames_batch_size"),
    *(f"tile_{of}_min_{side}" for of in ("sample", "latent") for side in ("height", "width")),
    *("tile_overlap_factor_height", "tile_overlap_factor_width"),
)


class VAEConfigError(ValueError):
    """A config that asks for what no CogVideoX VAE has."""


class CausalVAE(ModelMixin, AutoencoderMixin, ConfigMixin):
    """Video <-> latents: 4x in time, 8x in space. Mirrors: AutoencoderKLCogVideoX, name by name.

    A diffusers ModelMixin, so that a pipeline can move, offload and save it, and not a subclass of the stock class,
    so that nothing it does is written elsewhere. Parameters, config and methods carry the names of the stock class, and
    `save_pretrained` writes what the stock class loads. `from_pipe` lets only the stock class pass: give it `vae=`.

    Unlike the stock class it gives back every 4k + 1 frames as they came; `as_released = True` brings the stock
    behaviour back, bit by bit. A chunk's norms see that chunk only, so chunks are part of what is computed:
    8 frames or 2 latent ones (`num_*_frames_batch_size`), after a first one with frame 0 in addition.
    Takes and gives unscaled latents; the pipeline multiplies by `config.scaling_factor`.
    """

    _no_split_modules = ["Resnet"]
    as_released = False

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
        super().__init__()
        if use_quant_conv or use_post_quant_conv or act_fn != "silu":
            raise VAEConfigError(
                f"{act_fn=}, {use_quant_conv=}, {use_post_quant_conv=}: a CogVideoX VAE has 'silu' and no quant "
                "convolutions; keep the stock AutoencoderKLCogVideoX for this checkpoint"
            )
        sizes = (latent_channels, list(block_out_channels), layers_per_block, norm_num_groups, norm_eps)
        self.encoder = Encoder(in_channels, *sizes, int(log2(temporal_compression_ratio)))
        self.decoder = Decoder(out_channels, *sizes, int(log2(temporal_compression_ratio)))
        self.use_slicing = self.use_tiling = False
        self.num_latent_frames_batch_size, self.num_sample_frames_batch_size = 2, 8
        self.tile_overlap_factor_height, self.tile_overlap_factor_width = 1 / 6, 1 / 5
        self._set_tiles(sample_height // 2, sample_width // 2)

    @classmethod
    def from_stock(cls, stock: AutoencoderKLCogVideoX, as_released: bool = False) -> "CausalVAE":
        """The twin of `stock`: the same parameters (not a copy of them), config, slicing and tiling."""
        twin = _sharing(cls, stock)
        twin.as_released = as_released
        return twin

    def to_stock(self) -> AutoencoderKLCogVideoX:
        """The inverse of `from_stock`; shares the parameters too."""
        return _sharing(AutoencoderKLCogVideoX, self)

    def to_json_string(self) -> str:
        """The config as it is saved: under the name of the stock class, which then loads it."""
        return super().to_json_string().replace(f'"{type(self).__name__}"', f'"{AutoencoderKLCogVideoX.__name__}"')

    def enable_tiling(
        self,
        tile_sample_min_height: int | None = None,
        tile_sample_min_width: int | None = None,
        tile_overlap_factor_height: float | None = None,
        tile_overlap_factor_width: float | None = None,
    ) -> None:
        """From now on, pictures larger than a tile (pixels) go through in tiles that overlap by these shares."""
        self.use_tiling = True
        self._set_tiles(
            tile_sample_min_height or self.tile_sample_min_height, tile_sample_min_width or self.tile_sample_min_width
        )
        self.tile_overlap_factor_height = tile_overlap_factor_height or self.tile_overlap_factor_height
        self.tile_overlap_factor_width = tile_overlap_factor_width or self.tile_overlap_factor_width

    def _set_tiles(self, height: int, width: int) -> None:
        scale = 2 ** (len(self.config.block_out_channels) - 1)
        self.tile_sample_min_height, self.tile_sample_min_width = height, width
        self.tile_latent_min_height, self.tile_latent_min_width = int(height / scale), int(width / scale)

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
        video = self._clip(self.decoder, z, growth=self._frames_per_latent)
        return DecoderOutput(sample=video) if return_dict else (video,)

    @apply_forward_hook
    def encode_stream(self, pieces: Iterable[Map], frames: int | None = None) -> Iterator[Posterior]:
        """Encode a video that arrives in pieces of any length, in constant memory and without gradients.

        Yields chunk by chunk; laid end to end, the means are those of `encode` under no_grad, bit by bit.
        `frames`, the length of the video, is only needed as released: StreamError without it. Raises SizeError at the
        end of a video that is not 4k + 1 frames long.
        """
        fold = None if self.as_released else self._frames_per_latent
        chunks = cut(pieces, self.num_sample_frames_batch_size, frames, self.as_released, fold)
        network = without_gradients(self.encoder)
        for moments in stream_through(network, chunks, self.as_released, self._tiles(self.encoder)):
            yield Posterior(moments, self.as_released)

    @apply_forward_hook
    def decode_stream(self, pieces: Iterable[Map], latent_frames: int | None = None) -> Iterator[NewMap]:
        """Decode latents that arrive in pieces of any length, in constant memory and without gradients.

        Yields 9, 8, 8, ... frames; laid end to end, they are what `decode` gives under no_grad, bit by bit.
        """
        chunks = cut(pieces, self.num_latent_frames_batch_size, latent_frames, self.as_released)
        network = without_gradients(self.decoder)
        yield from stream_through(network, chunks, self.as_released, self._tiles(self.decoder))

    def _clip(self, network: nn.Module, x: Map, growth: int | None = None) -> NewMap:
        size = self.num_sample_frames_batch_size if network is self.encoder else self.num_latent_frames_batch_size
        clips = x.split(1) if self.use_slicing else [x]
        done = [clip_through(network, clip, size, self.as_released, self._tiles(network), growth) for clip in clips]
        return torch.cat(done) if len(done) > 1 else done[0]

    def _tiles(self, network: nn.Module) -> Tiles | None:
        pixels = (self.tile_sample_min_height, self.tile_sample_min_width)
        latents = (self.tile_latent_min_height, self.tile_latent_min_width)
        sizes = (pixels, latents) if network is self.encoder else (latents, pixels)
        overlap = (self.tile_overlap_factor_height, self.tile_overlap_factor_width)
        return plan_tiles(*sizes, overlap) if self.use_tiling else None

    @property
    def _frames_per_latent(self) -> int:
        return int(self.config.temporal_compression_ratio)

    def forward(
        self, sample: Map, sample_posterior: bool = False, return_dict: bool = True, generator: Generator | None = None
    ) -> DecoderOutput | tuple[NewMap]:
        posterior = self.encode(sample).latent_dist
        return self.decode(posterior.sample(generator) if sample_posterior else posterior.mode(), return_dict)


def _sharing(cls: type[nn.Module], other: nn.Module) -> nn.Module:
    """A `cls` with the very parameters of `other`: what changes or moves one, changes or moves both."""
    with torch.device("meta"):
        made = cls.from_config(other.config)
    parameters = dict(other.named_parameters())
    if parameters.keys() != dict(made.named_parameters()).keys():
        raise VAEConfigError(f"{type(other).__name__} does not have the parameters that its config speaks of")
    for name, parameter in parameters.items():
        owner, _, leaf = name.rpartition(".")
        setattr(made.get_submodule(owner), leaf, parameter)
    for name in SETTINGS:
        setattr(made, name, getattr(other, name))
    return made.train(other.training)
