"""Pixels -> tokens: which tokens of the video an object covers, and how a token stands for pixels and frames."""

import numpy as np
from einops import rearrange
from jaxtyping import Bool, Float

from cogkit.shapes import PATCH, SPATIAL, TEMPORAL

SIDE = SPATIAL * PATCH  # pixels of a token along y and x
LEAST = 0.5  # a token belongs to an object that covers so much of it


def token_cover(mask: Bool[np.ndarray, "F H W"]) -> Float[np.ndarray, "t y x"]:
    """The share of each token that the object covers, over its 16 x 16 pixels and its frames.

    Latent frame 0 stands for frame 0 alone, latent frame j for frames 4j - 3 to 4j.
    """
    share = rearrange(mask.astype(np.float64), "F (y h) (x w) -> F y x h w", h=SIDE, w=SIDE).mean((-2, -1))
    later = rearrange(share[1:], "(t frames) y x -> t frames y x", frames=TEMPORAL).mean(1)
    return np.concatenate([share[:1], later])


def token_region(mask: Bool[np.ndarray, "F H W"], least: float = LEAST) -> Bool[np.ndarray, "t y x"]:
    """The tokens of which the object covers at least the share `least`.

    In a latent frame where it covers no token so far, the one that it covers most.
    """
    cover = token_cover(mask)
    most = cover.max((1, 2), keepdims=True)
    return (cover >= least) | ((cover == most) & (most > 0) & (most < least))
