"""Which frames can know of which: the layers' rule pushed through booleans instead of numbers.

Dependence follows from the architecture alone, whatever the weights are. A test compares it with the trained VAE.
"""

import numpy as np
from jaxtyping import Bool, Int

CHUNK = 8  # frames that go through together; frame 0 goes with the first eight

Knows = Bool[np.ndarray, "now first"]  # may a frame after this layer depend on an input frame?


def encoder_reach(frames: int, resnets: int = 1, norms: bool = True) -> Bool[np.ndarray, "t F"]:
    """Which pixel frames each latent frame may depend on. `resnets` a row: 1 in nano, 3 in the released VAE.

    `norms=False`: GroupNorm keeps fixed statistics, so that only convolutions look at other frames.
    """
    knows = _conv(np.eye(frames, dtype=bool))
    for row, rate in enumerate((1, 2, 4, 4)):
        knows = _resnets(knows, resnets, rate, norms)
        if row < 2:
            knows = np.concatenate([knows[:1], knows[1::2] | knows[2::2]])  # frame 0 alone, then pairs
    return _conv(_norm(_resnets(knows, 2, 4, norms), 4, norms))


def decoder_reach(latents: int, resnets: int = 1, norms: bool = True) -> Bool[np.ndarray, "F t"]:
    """Which latent frames each pixel frame may depend on; rows are one resnet deeper than in the encoder."""
    knows = _resnets(_conv(np.eye(latents, dtype=bool)), 2, 4, norms)
    for rate in (4, 2, 1, 1):
        knows = _resnets(knows, resnets + 1, rate, norms)
        if rate > 1:
            knows = np.concatenate([knows[:1], knows[1:].repeat(2, axis=0)])
    return _conv(_norm(knows, 1, norms))


def chunk_of(frames: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The chunks that these pixel frames go through with."""
    return np.maximum(frames - 1, 0) // CHUNK


def _resnets(knows: Knows, count: int, rate: int, norms: bool) -> Knows:
    for _ in range(2 * count):  # norm, convolution, norm, convolution; the way around them adds nothing
        knows = _conv(_norm(knows, rate, norms))
    return knows


def _conv(knows: Knows) -> Knows:
    """A kernel of 3: the frame and the two before it; before the start stands the first frame."""
    back = [np.maximum(np.arange(len(knows)) - k, 0) for k in range(3)]
    return knows[back[0]] | knows[back[1]] | knows[back[2]]


def _norm(knows: Knows, rate: int, norms: bool) -> Knows:
    """One mean over all frames of a chunk: each knows what any of them knows. `rate`: pixel frames a frame here."""
    if not norms:
        return knows
    chunk = chunk_of(np.arange(len(knows)) * rate)
    return np.stack([knows[chunk == c].any(0) for c in chunk])
