"""One block: two sub-layers, each behind an expert AdaLN and in front of a gated residual."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.transformer.adaln import ExpertAdaLN
from cogkit.transformer.attention import JointAttention
from cogkit.transformer.feed_forward import FeedForward
from cogkit.transformer.rope import Rotary


class ExpertBlock(nn.Module):
    """The right half of figure 3, from bottom to top. Mirrors: CogVideoXBlock."""

    def __init__(self, config):
        super().__init__()
        c, width = config, config.num_attention_heads * config.attention_head_dim
        self.norm1 = ExpertAdaLN(c.time_embed_dim, width, c.norm_elementwise_affine, c.norm_eps)
        self.attn1 = JointAttention(width, c.num_attention_heads, c.attention_head_dim, c.attention_bias, c.dropout)
        self.norm2 = ExpertAdaLN(c.time_embed_dim, width, c.norm_elementwise_affine, c.norm_eps)
        self.ff = FeedForward(width, c.dropout)

    def forward(
        self,
        hidden_states: Float[Tensor, "b nv d"],
        encoder_hidden_states: Float[Tensor, "b nt d"],
        temb: Float[Tensor, "#b e"],
        image_rotary_emb: Rotary | None = None,
        attention_kwargs: dict | None = None,
    ) -> tuple[Float[Tensor, "b nv d"], Float[Tensor, "b nt d"]]:
        """Video and text in, video and text out. The arguments have diffusers' names, by which hooks find them."""
        video, text = hidden_states, encoder_hidden_states

        normed = self.norm1(video, text, temb)
        streams = {"hidden_states": normed.video, "encoder_hidden_states": normed.text}
        for_video, for_text = self.attn1(**streams, image_rotary_emb=image_rotary_emb, **(attention_kwargs or {}))
        video = video + normed.video_gate * for_video
        text = text + normed.text_gate * for_text

        normed = self.norm2(video, text, temb)
        out = self.ff(torch.cat([normed.text, normed.video], dim=1))
        video = video + normed.video_gate * out[:, text.shape[1] :]
        text = text + normed.text_gate * out[:, : text.shape[1]]
        return video, text
