"""Latents and text become one sequence of tokens: [text; video]."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.shapes import Latents
from cogkit.transformer.patchify import Grid, patchify
from cogkit.transformer.rope import PositionError
from cogkit.transformer.sincos import sincos_3d

Table = Float[Tensor, "1 n d"]  # a row for every text token, then one for every patch


class PatchEmbed(nn.Module):
    """One linear layer for patches, one for text, and positions for those models that add them.

    In 1.0 the layer for patches is stored as a convolution whose stride is its width. The 2B adds sines and cosines,
    the 5B-I2V a learned table, stored with its weights; the other models know positions from RoPE alone.
    Mirrors: CogVideoXPatchEmbed (`patch_bias` counts for 1.0 only; the layer of 1.5 always has one).
    """

    def __init__(self, config, width: int):
        super().__init__()
        p, dt = config.patch_size, config.patch_size_t
        self.config, self.width = config, width
        if dt is None:
            self.proj = nn.Conv2d(config.in_channels, width, kernel_size=p, stride=p, bias=config.patch_bias)
        else:
            self.proj = nn.Linear(config.in_channels * dt * p * p, width)
        self.text_proj = nn.Linear(config.text_embed_dim, width)

        self.learned = config.use_learned_positional_embeddings
        self.adds_positions = self.learned or not config.use_rotary_positional_embeddings
        self.latent_frames = (config.sample_frames - 1) // config.temporal_compression_ratio + 1
        if self.adds_positions:
            table = self._sincos_table((self.latent_frames, config.sample_height // p, config.sample_width // p))
            self.register_buffer("pos_embedding", table, persistent=self.learned)

    def forward(
        self, text: Float[Tensor, "b nt e"], latents: Latents, as_released: bool = False
    ) -> Float[Tensor, "b n d"]:
        """`as_released=True` adds positions as diffusers does: they must have a row for each text token, and a learned
        table gives way to sines and cosines, in silence, when the frame count differs.

        Raises PositionError where a learned table has no rows.
        """
        text, video = self.text_proj(text), self._patches(latents)
        tokens, slots, longest = torch.cat([text, video], dim=1), text.shape[1], self.config.max_text_seq_length
        if not self.adds_positions:
            return tokens
        table = self._positions(latents.shape[1], *latents.shape[3:], as_released).to(tokens)
        if as_released:
            return tokens + table
        if self.learned and slots > longest:
            raise PositionError(f"{slots} text tokens, but positions were learned for {longest}; shorten the prompt")
        tokens[:, : min(slots, longest)] += table[:, : min(slots, longest)]
        tokens[:, slots:] += table[:, longest:]
        return tokens

    def _patches(self, latents: Latents) -> Float[Tensor, "b n d"]:
        if self.config.patch_size_t is not None:
            return self.proj(patchify(latents, self.config.patch_size_t, self.config.patch_size))
        patches = self.proj(rearrange(latents, "b t c h w -> (b t) c h w"))
        return rearrange(patches, "(b t) d y x -> b (t y x) d", b=len(latents))

    def _positions(self, t: int, h: int, w: int, as_released: bool) -> Table:
        c = self.config
        native, y, x = (h, w) == (c.sample_height, c.sample_width), h // c.patch_size, w // c.patch_size
        if native and (t - 1) * c.temporal_compression_ratio + 1 == c.sample_frames:
            return self.pos_embedding
        if self.learned and not (native and (as_released or t <= self.latent_frames)):
            raise PositionError(
                f"latents of {t} x {h} x {w} have no learned positions: they end at {self.latent_frames} x "
                f"{c.sample_height} x {c.sample_width}; use this height and width and at most as many frames"
            )
        if self.learned and not as_released:  # time is slowest, so a shorter clip reads the front of the table
            return self.pos_embedding[:, : c.max_text_seq_length + t * y * x]
        return self._sincos_table((t, y, x))

    def _sincos_table(self, grid: Grid) -> Table:
        c = self.config
        rows = sincos_3d(grid, self.width, c.spatial_interpolation_scale, c.temporal_interpolation_scale)
        return torch.cat([rows.new_zeros(c.max_text_seq_length, self.width), rows])[None]
