"""Text and video attend to each other and to themselves in one softmax: "3D full attention"."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from cogkit.transformer.rope import Rotary, rotate, turns


class JointAttention(nn.Module):
    """softmax(q k^T / sqrt(d)) v over the sequence [text; video], with q and k normalised per head.

    The order is: project, LayerNorm over a head's channels (text and video alike), then RoPE (video only). Nothing is
    causal and the padding of the prompt is attended to like any word.
    Mirrors: Attention with CogVideoXAttnProcessor2_0.
    """

    def __init__(self, width: int, heads: int, head_dim: int, bias: bool = True, dropout: float = 0.0):
        super().__init__()
        self.heads = heads
        self.norm_q = nn.LayerNorm(head_dim, eps=1e-6)
        self.norm_k = nn.LayerNorm(head_dim, eps=1e-6)
        self.to_q = nn.Linear(width, heads * head_dim, bias)
        self.to_k = nn.Linear(width, heads * head_dim, bias)
        self.to_v = nn.Linear(width, heads * head_dim, bias)
        self.to_out = nn.ModuleList([nn.Linear(heads * head_dim, width), nn.Dropout(dropout)])

    def forward(
        self,
        hidden_states: Float[Tensor, "b nv d"],
        encoder_hidden_states: Float[Tensor, "b nt d"],
        image_rotary_emb: Rotary | None = None,
        attention_mask: Bool[Tensor, "b *queries keys"] | Float[Tensor, "b *queries keys"] | None = None,
    ) -> tuple[Float[Tensor, "b nv d"], Float[Tensor, "b nt d"]]:
        """Video and text in, video and text out. The arguments have diffusers' names, by which hooks find them.

        A mask of (b, keys) or (b, queries, keys) holds True where to look, or numbers to add to the scores.
        """
        text = encoder_hidden_states.shape[1]
        tokens = torch.cat([encoder_hidden_states, hidden_states], dim=1)
        q, k, v = (
            rearrange(project(tokens), "b n (heads d) -> b heads n d", heads=self.heads)
            for project in (self.to_q, self.to_k, self.to_v)
        )
        q, k = self.norm_q(q), self.norm_k(k)
        if image_rotary_emb is not None:
            turn = turns(image_rotary_emb, text).to(q.device)
            q, k = rotate(q, turn), rotate(k, turn)
        if attention_mask is not None:
            attention_mask = attention_mask.reshape(len(tokens), 1, -1, tokens.shape[1])
        z = F.scaled_dot_product_attention(q, k, v, attn_mask=attention_mask)
        out = rearrange(z, "b heads n d -> b n (heads d)")
        for layer in self.to_out:
            out = layer(out)
        return out[:, text:], out[:, :text]
