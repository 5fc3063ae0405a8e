"""One LayerNorm, two experts: text and video are normalised alike, then scaled and shifted by numbers of their own."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Modulated(NamedTuple):
    video: Float[Tensor, "b nv d"]
    text: Float[Tensor, "b nt d"]
    video_gate: Float[Tensor, "b 1 d"]  # how much of what the sub-layer says is added to the video stream
    text_gate: Float[Tensor, "b 1 d"]


class ExpertAdaLN(nn.Module):
    """y = LN(x) (1 + scale) + shift; scale, shift and gate come from the timestep, for video and text apart.

    This is all that is "expert" in the expert transformer: LN, attention and feed-forward are shared.
    Section 2.2, "expert adaptive LayerNorm". Mirrors: CogVideoXLayerNormZero.
    """

    def __init__(self, time_embed_dim: int, width: int, affine: bool = True, eps: float = 1e-5):
        super().__init__()
        self.linear = nn.Linear(time_embed_dim, 6 * width)
        self.norm = nn.LayerNorm(width, eps, affine)

    def forward(
        self, video: Float[Tensor, "b nv d"], text: Float[Tensor, "b nt d"], temb: Float[Tensor, "#b e"]
    ) -> Modulated:
        modulation = self.linear(F.silu(temb))[:, None]
        shift, scale, gate, text_shift, text_scale, text_gate = modulation.chunk(6, dim=-1)
        video = self.norm(video) * (1 + scale) + shift
        text = self.norm(text) * (1 + text_scale) + text_shift
        return Modulated(video, text, gate, text_gate)


class FinalAdaLN(nn.Module):
    """The same without gate and without text, in front of the last linear layer. Mirrors: AdaLayerNorm (chunk_dim=1).

    In the released model it follows a plain LayerNorm, `norm_final`: the tokens are normalised twice.
    """

    def __init__(self, time_embed_dim: int, width: int, affine: bool = True, eps: float = 1e-5):
        super().__init__()
        self.linear = nn.Linear(time_embed_dim, 2 * width)
        self.norm = nn.LayerNorm(width, eps, affine)

    def forward(self, video: Float[Tensor, "b nv d"], temb: Float[Tensor, "#b e"]) -> Float[Tensor, "b nv d"]:
        shift, scale = self.linear(F.silu(temb))[:, None].chunk(2, dim=-1)
        return self.norm(video) * (1 + scale) + shift
