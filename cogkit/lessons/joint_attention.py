"""Notebook 04: columns of a softmax from its normaliser, objects in tokens, mass between frames, a word taken out."""

import numpy as np
import torch
from einops import rearrange, reduce

from cogkit.teaching import Exercise, check


def _example(tokens: int = 13, d: int = 8):
    """q, k, v (S, d), their dense probabilities and the log of every row's normaliser, in float64."""
    dice = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, tokens, d, generator=dice, dtype=torch.float64).unbind()
    scores = q @ k.T / d**0.5
    return q, k, v, scores.softmax(-1), scores.logsumexp(-1)


def columns(q, k, lse, slots):
    """The probabilities of some keys, for every query. q, k: (S, d); lse: (S,); the answer: (S, slots)."""
    return (q @ k[slots].T / q.shape[-1] ** 0.5 - lse[:, None]).exp()


def _test_columns(answer):
    q, k, _, dense, lse = _example()
    for slots in ([4], [0, 7, 2], list(range(13))):
        check("columns as in the dense softmax", answer(q, k, lse, slots), equals=dense[:, slots], within=1e-9)


def columns_without_scale(q, k, lse, slots):
    return (q @ k[slots].T - lse[:, None]).exp()


def columns_of_a_smaller_softmax(q, k, lse, slots):
    return (q @ k[slots].T / q.shape[-1] ** 0.5).softmax(-1)


def columns_of_the_keys_normaliser(q, k, lse, slots):
    return (q @ k[slots].T / q.shape[-1] ** 0.5 - lse[slots]).exp()


def columns_in_base_two(q, k, lse, slots):
    return (q @ k[slots].T / q.shape[-1] ** 0.5 - lse[:, None]).exp2()


COLUMNS = Exercise(
    "columns",
    columns,
    _test_columns,
    (
        "softmax divides exp(score) by the sum of exp(score) over all keys; lse is the log of that sum",
        "exp(a) / exp(b) = exp(a - b); a score is q · k over the square root of d; lse[:, None] is one a query",
    ),
    (
        columns_without_scale,
        columns_of_a_smaller_softmax,
        columns_of_the_keys_normaliser,
        columns_in_base_two,
    ),
)


def token_cover(mask):
    """The share of each token that an object covers. mask: (F, H, W) booleans; the answer: (t, y, x)."""
    share = reduce(mask.astype(float), "F (y h) (x w) -> F y x", "mean", h=16, w=16)
    later = reduce(share[1:], "(t four) y x -> t y x", "mean", four=4)
    return np.concatenate([share[:1], later])


def _test_token_cover(answer):
    mask = np.zeros((9, 32, 48), bool)
    mask[0, :16, 16:32] = True  # one whole token, in the first frame only
    mask[1:3, 16:, :8] = True  # half a token, in two of the frames that share a latent frame
    mask[5:, :, 40:] = True
    wanted = np.zeros((3, 2, 3))
    wanted[0, 0, 1], wanted[1, 1, 0], wanted[2, :, 2] = 1, 0.25, 0.5
    got = np.asarray(answer(mask.copy()))
    check("9 frames of 32x48 pixels are 3 latent frames of 2x3 tokens", list(got.shape), equals=[3, 2, 3])
    check("frame 0 stands alone, then four frames share a latent frame", got, equals=wanted, within=1e-9)


def cover_of_fours_from_the_start(mask):
    share = reduce(mask.astype(float), "F (y h) (x w) -> F y x", "mean", h=16, w=16)
    return np.stack([share[4 * t : 4 * t + 4].mean(0) for t in range((len(share) - 1) // 4 + 1)])


def cover_of_every_fourth_frame(mask):
    return reduce(mask[::4].astype(float), "F (y h) (x w) -> F y x", "mean", h=16, w=16)


def cover_of_latent_pixels(mask):
    share = reduce(mask.astype(float), "F (y h) (x w) -> F y x", "mean", h=8, w=8)
    return np.concatenate([share[:1], reduce(share[1:], "(t four) y x -> t y x", "mean", four=4)])


TOKEN_COVER = Exercise(
    "token_cover",
    token_cover,
    _test_token_cover,
    (
        "a token is a patch of 2x2 latent pixels, and a latent pixel is 8x8 pixels",
        "latent frame 0 is frame 0, latent frame j the mean over frames 4j-3 to 4j: treat mask[0] and mask[1:] apart",
    ),
    (cover_of_fours_from_the_start, cover_of_every_fourth_frame, cover_of_latent_pixels),
)


def frame_mass(P, text, frames):
    """(frames, frames): how much of its attention a query of one latent frame spends on another, on average.

    P: (S, S), text tokens first, then the video's, latent frame by latent frame.
    """
    video = rearrange(P[text:, text:], "(i q) (j k) -> i j q k", i=frames, j=frames)
    return video.sum(-1).mean(-1)


def _test_frame_mass(answer):
    P = _example(5 + 3 * 4)[3]
    got = answer(P, 5, 3)
    check("the shape is frames by frames", list(got.shape), equals=[3, 3])
    wanted = torch.zeros(3, 3, dtype=P.dtype)
    for i in range(3):
        for j in range(3):
            wanted[i, j] = P[5 + 4 * i : 9 + 4 * i, 5 + 4 * j : 9 + 4 * j].sum(1).mean()
    check("sums over keys, means over queries", got, equals=wanted, within=1e-9)


def mass_as_mean_over_keys(P, text, frames):
    return frame_mass(P, text, frames) / ((P.shape[0] - text) // frames)


def mass_summed_over_queries(P, text, frames):
    return frame_mass(P, text, frames) * ((P.shape[0] - text) // frames)


def mass_from_keys_to_queries(P, text, frames):
    return frame_mass(P.T, text, frames)


def mass_without_the_text(P, text, frames):
    """Renormalised over the video: the attention on text is forgotten."""
    return frame_mass(P, text, frames) / frame_mass(P, text, frames).sum(-1, keepdim=True)


FRAME_MASS = Exercise(
    "frame_mass",
    frame_mass,
    _test_frame_mass,
    (
        "cut away the text's rows and columns, then fold both axes into (frame, token of the frame)",
        "probabilities over keys add up, so sum over the keys; queries are many voices, so take their mean",
    ),
    (mass_as_mean_over_keys, mass_summed_over_queries, mass_from_keys_to_queries, mass_without_the_text),
)


def knock_out(z, P, v, slots):
    """What attention would have said if these keys did not exist. z: (S, d) = P v; P: (S, S); v: (S, d)."""
    taken = P[:, slots]
    return (z - taken @ v[slots]) / (1 - taken.sum(-1, keepdim=True))


def _test_knock_out(answer):
    q, k, v, P, _ = _example()
    for slots in ([3], [0, 5, 9]):
        scores = q @ k.T / q.shape[-1] ** 0.5
        scores[:, slots] = -torch.inf
        wanted = scores.softmax(-1) @ v
        check("the same as masking the keys before the softmax", answer(P @ v, P, v, slots), equals=wanted, within=1e-9)


def knock_out_without_renormalising(z, P, v, slots):
    return z - P[:, slots] @ v[slots]


def knock_out_divided_by_what_was_taken(z, P, v, slots):
    taken = P[:, slots]
    return (z - taken @ v[slots]) / taken.sum(-1, keepdim=True)


def knock_out_of_the_queries(z, P, v, slots):
    z = z.clone()
    z[slots] = 0
    return z


KNOCK_OUT = Exercise(
    "knock_out",
    knock_out,
    _test_knock_out,
    (
        "z is a weighted mean of all v; take the weighted v of these slots out of it",
        "what is left has weights that add up to 1 minus what was taken: divide by that, row by row",
    ),
    (
        knock_out_without_renormalising,
        knock_out_divided_by_what_was_taken,
        knock_out_of_the_queries,
    ),
)
