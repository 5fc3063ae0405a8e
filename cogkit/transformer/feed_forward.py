"""Every token by itself: four times wider, GELU, and back. Text and video share the weights."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Widen(nn.Module):
    """Linear to the inner width, then GELU in its tanh approximation. Mirrors: GELU of diffusers' activations."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.proj = nn.Linear(width, inner)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n inner"]:
        return F.gelu(self.proj(x), approximate="tanh")


class FeedForward(nn.Module):
    """Mirrors: FeedForward with activation "gelu-approximate" and a last dropout; hence the names net.0 to net.3."""

    def __init__(self, width: int, dropout: float = 0.0):
        super().__init__()
        widen, narrow = Widen(width, 4 * width), nn.Linear(4 * width, width)
        self.net = nn.ModuleList([widen, nn.Dropout(dropout), narrow, nn.Dropout(dropout)])

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        for layer in self.net:
            x = layer(x)
        return x
