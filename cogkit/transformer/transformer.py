"""Noisy latents, text, a timestep -> v. The whole model on one page."""

from functools import wraps

import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.attention_processor import CogVideoXAttnProcessor2_0, FusedCogVideoXAttnProcessor2_0
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils import apply_lora_scale
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.shapes import Latents
from cogkit.transformer.adaln import FinalAdaLN
from cogkit.transformer.block import ExpertBlock
from cogkit.transformer.patch_embed import PatchEmbed
from cogkit.transformer.patchify import patch_grid, unpatchify
from cogkit.transformer.rope import Rotary
from cogkit.transformer.timestep import TimestepEmbedding, sinusoid
from cogkit.twin import ConfigError, ModelTwin

KNOWN_PROCESSORS = (CogVideoXAttnProcessor2_0, FusedCogVideoXAttnProcessor2_0)  # these two compute what we do


class ExpertTransformer(ModelTwin, CogVideoXTransformer3DModel):
    """CogVideoXTransformer3DModel, written again to be read; it takes the place of the original in any pipeline.

    It is a subclass for everything that is not arithmetic: loading, saving, offloading, quantising, LoRA and type
    checks are diffusers' own. The modules and the forward pass are ours alone; neither the original's __init__ nor
    its forward runs. Parameters have the original's names. Gradient checkpointing is not supported.
    `as_released` (an attribute, not part of the config) brings the faults of the reference back:
    - the 5B-I2V swaps its learned positions for sines and cosines when the frame count differs (else PositionError
      for longer clips, and the front of the table for shorter ones);
    - models with added positions take prompts of max_text_seq_length tokens only;
    - an odd height or width loses its last row or column in silence, in 1.0 (else PatchError).
    """

    stock = CogVideoXTransformer3DModel
    _no_split_modules = ["ExpertBlock", "PatchEmbed"]

    @register_to_config
    @wraps(CogVideoXTransformer3DModel.__init__)  # so the config is its config, with its names and defaults
    def __init__(self, *_, **__):
        ModelMixin.__init__(self)
        c = self.config
        if (c.activation_fn, c.timestep_activation_fn) != ("gelu-approximate", "silu"):
            found = f"{c.activation_fn=}, {c.timestep_activation_fn=}"
            raise ConfigError(f"{found}: all have 'gelu-approximate' and 'silu'; use these, or diffusers' class")
        if c.use_learned_positional_embeddings and not c.use_rotary_positional_embeddings:
            raise ConfigError("learned positions come with RoPE; set use_rotary_positional_embeddings=True too")
        width = c.num_attention_heads * c.attention_head_dim
        self.patch_embed = PatchEmbed(c)
        self.embedding_dropout = nn.Dropout(c.dropout)
        self.time_embedding = TimestepEmbedding(width, c.time_embed_dim)
        self.ofs_embedding = TimestepEmbedding(c.ofs_embed_dim, c.ofs_embed_dim) if c.ofs_embed_dim else None
        self.transformer_blocks = nn.ModuleList(ExpertBlock(c) for _ in range(c.num_layers))
        self.norm_final = nn.LayerNorm(width, c.norm_eps, c.norm_elementwise_affine)
        self.norm_out = FinalAdaLN(c.time_embed_dim, width, c.norm_elementwise_affine, c.norm_eps)
        self.proj_out = nn.Linear(width, c.out_channels * (c.patch_size_t or 1) * c.patch_size**2)

    @apply_lora_scale("attention_kwargs")
    def forward(
        self,
        hidden_states: Latents,
        encoder_hidden_states: Float[Tensor, "b nt e"],
        timestep: Tensor | int | float,
        timestep_cond: Tensor | None = None,
        ofs: Tensor | int | float | None = None,
        image_rotary_emb: Rotary | None = None,
        attention_kwargs: dict | None = None,
        return_dict: bool = True,
    ) -> Transformer2DModelOutput | tuple[Tensor]:
        """v for noisy latents (hidden_states) and text (encoder_hidden_states); a number or one per clip as timestep.

        Without image_rotary_emb (see `rotary_embedding`) nothing is rotated. Raises PatchError, PositionError.
        """
        latents, text, rotary = hidden_states, encoder_hidden_states, image_rotary_emb
        if timestep_cond is not None:
            raise ConfigError("timestep_cond has no weights in any CogVideoX; leave it out")
        t, h, w = latents.shape[1], *latents.shape[3:]
        dt, p = self.config.patch_size_t or 1, self.config.patch_size
        grid = (t // dt, h // p, w // p) if self.as_released else patch_grid(t, h, w, dt, p)

        temb = self.time_embedding(self._wave(timestep, self.patch_embed.width, latents))
        if self.ofs_embedding is not None:
            ofs = self._wave(2.0 if ofs is None else ofs, self.config.ofs_embed_dim, latents)
            temb = temb + self.ofs_embedding(ofs)

        tokens = self.embedding_dropout(self.patch_embed(text, latents, self.as_released))
        text, video = tokens[:, : text.shape[1]], tokens[:, text.shape[1] :]
        for block in self.transformer_blocks:
            streams = {"hidden_states": video, "encoder_hidden_states": text}
            video, text = block(**streams, temb=temb, image_rotary_emb=rotary, attention_kwargs=attention_kwargs)
        patches = self.proj_out(self.norm_out(self.norm_final(video), temb=temb))
        v = unpatchify(patches, grid, dt, p)
        return Transformer2DModelOutput(sample=v) if return_dict else (v,)

    def _wave(self, value: Tensor | int | float, width: int, like: Tensor) -> Float[Tensor, "b width"]:
        value = torch.as_tensor(value, device=like.device).reshape(-1)
        return sinusoid(value, width, self.config.flip_sin_to_cos, self.config.freq_shift).to(like.dtype)

    def set_attn_processor(self, processor) -> None:
        if processor and type(processor) not in KNOWN_PROCESSORS:
            raise ConfigError("attention is written out here and would not ask a processor; use it on the original")
