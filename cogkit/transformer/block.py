"""One block: two sub-layers, each behind an expert AdaLN and in front of a gated residual."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.transformer.adaln import ExpertAdaLN
from cogkit.transformer.attention import JointAttention
from cogkit.transformer.feed_forward import FeedForward
from cogkit.transformer.rope import Rotary


class ExpertBlock(nn.Module):
    """Figure 3 of the paper, from bottom to top. Mirrors: CogVideoXBlock."""

    def __init__(
        self,
        width: int,
        heads: int,
        head_dim: int,
        time_embed_dim: int,
        dropout: float = 0.0,
        bias: bool = True,
        affine: bool = True,
        eps: float = 1e-5,
    ):
        super().__init__()
        self.norm1 = ExpertAdaLN(time_embed_dim, width, affine, eps)
        self.attn1 = JointAttention(width, heads, head_dim, bias, dropout)
        self.norm2 = ExpertAdaLN(time_embed_dim, width, affine, eps)
        self.ff = FeedForward(width, dropout)

    def forward(
        self,
        hidden_states: Float[Tensor, "b nv d"],
        encoder_hidden_states: Float[Tensor, "b nt d"],
        temb: Float[Tensor, "#b e"],
        image_rotary_emb: Rotary | None = None,
        attention_kwargs: dict | None = None,
    ) -> tuple[Float[Tensor, "b nv d"], Float[Tensor, "b nt d"]]:
        """(video, text) in and out. The arguments have diffusers' names, because its hooks look for them."""
        video, text = hidden_states, encoder_hidden_states

        normed = self.norm1(video, text, temb)
        attended = self.attn1(
            hidden_states=normed.video,
            encoder_hidden_states=normed.text,
            image_rotary_emb=image_rotary_emb,
            **(attention_kwargs or {}),
        )
        video = video + normed.video_gate * attended.video
        text = text + normed.text_gate * attended.text

        normed = self.norm2(video, text, temb)
        out = self.ff(torch.cat([normed.text, normed.video], dim=1))
        video = video + normed.video_gate * out[:, text.shape[1] :]
        text = text + normed.text_gate * out[:, : text.shape[1]]
        return video, text
