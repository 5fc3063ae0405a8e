"""Notebook 02: where a token lies, how RoPE turns pairs of channels, how positions are squeezed into a box."""

from contextlib import contextmanager

import torch

from cogkit.teaching import Exercise, check
from cogkit.transformer.rope import rotary_table


def place(token: int, grid: tuple[int, int, int]) -> tuple[int, int, int]:
    """(time, y, x) of a video token: time is slowest, x is fastest."""
    _, rows, columns = grid
    return token // (rows * columns), token // columns % rows, token % columns


def _test_place(answer):
    grid = (2, 3, 4)
    cells = [(t, y, x) for t in range(2) for y in range(3) for x in range(4)]  # the last loop is the fastest
    check("the first token is the corner", answer(0, grid), equals=(0, 0, 0))
    check("every token has its cell", [answer(k, grid) for k in range(24)], equals=cells)


def x_slowest(token, grid):
    t, rows, _ = grid
    return token % t, token // t % rows, token // (t * rows)


def rows_for_columns(token, grid):
    _, rows, columns = grid
    return token // (rows * columns), token // rows % columns, token % rows


def row_not_wrapped(token, grid):
    _, rows, columns = grid
    return token // (rows * columns), token // columns, token % columns


PLACE = Exercise(
    "place",
    place,
    _test_place,
    (
        "one latent frame has rows * columns tokens: token // (rows * columns) is the time",
        "// columns counts rows, and % rows begins anew in each frame; x is token % columns",
    ),
    (x_slowest, rows_for_columns, row_not_wrapped),
)


def turn(x, angles):
    """Turn the pair (x0, x1) of channels by the first angle, (x2, x3) by the second, ... x: (n d), angles: (n d/2)."""
    even, odd = x[:, 0::2], x[:, 1::2]
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(1)


def _test_turn(answer):
    dice = torch.Generator().manual_seed(0)
    x, angles = torch.randn(5, 8, generator=dice), torch.randn(5, 4, generator=dice)
    got = answer(x.clone(), angles.clone())
    check("the shape stays", list(got.shape), equals=[5, 8])
    check("lengths stay", got.norm(dim=1), equals=x.norm(dim=1), within=1e-4)
    quarter = answer(torch.tensor([[1.0, 0, 0, 0]]), torch.full((1, 2), torch.pi / 2))
    check("a quarter turn takes (1, 0) to (0, 1)", quarter, equals=[[0, 1, 0, 0]], within=1e-5)
    check("neighbouring channels turn together", got, equals=turn(x, angles), within=1e-5)


def halves_for_pairs(x, angles):
    first, second = x.chunk(2, dim=1)
    return torch.cat([first * angles.cos() - second * angles.sin(), first * angles.sin() + second * angles.cos()], 1)


def backwards(x, angles):
    return turn(x, -angles)


def only_cosines(x, angles):
    return x * angles.cos().repeat_interleave(2, dim=1)


def not_woven_again(x, angles):
    even, odd, cos, sin = x[:, 0::2], x[:, 1::2], angles.cos(), angles.sin()
    return torch.cat([even * cos - odd * sin, even * sin + odd * cos], dim=1)


def added(x, angles):
    return x + angles.repeat_interleave(2, dim=1)


TURN = Exercise(
    "turn",
    turn,
    _test_turn,
    (
        "even, odd = x[:, 0::2], x[:, 1::2] are the pairs; (even, odd) -> (even cos - odd sin, even sin + odd cos)",
        "torch.stack([..., ...], dim=-1).flatten(1) weaves the two halves together again",
    ),
    (halves_for_pairs, backwards, only_cosines, not_woven_again, added),
)


def squeeze(n: int, first: int | float, end: int | float):
    """n coordinates, evenly spaced, that begin at `first` and would reach `end` with one more."""
    return first + (end - first) * torch.arange(n) / n


def _test_squeeze(answer):
    check("8 patches in a box of 8 count up", answer(8, 0, 8), equals=range(8), within=1e-5)
    check("12 in the same box stand closer", answer(12, 0, 8), equals=[8 * k / 12 for k in range(12)], within=1e-5)
    check("the box may begin elsewhere", answer(4, 2, 6), equals=[2, 3, 4, 5], within=1e-5)
    check("and be squeezed there", answer(8, 2, 6), equals=[2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5], within=1e-5)


def end_included(n, first, end):
    return torch.linspace(first, end, n)


def counts_on(n, first, end):
    return first + torch.arange(float(n))


def as_in_diffusers(n, first, end):
    return torch.linspace(first, end * (n - 1) / n, n)


def box_ignored(n, first, end):
    return torch.arange(n) * (end - first) / n


SQUEEZE = Exercise(
    "squeeze",
    squeeze,
    _test_squeeze,
    (
        "the step is (end - first) / n, so that one more patch would stand at `end`",
        "first + step * torch.arange(n)",
    ),
    (end_included, counts_on, as_in_diffusers, box_ignored),
)


@contextmanager
def positions_at(pipe, axes):
    """Within the block the pipeline's transformer gets these coordinates (t, y, x) instead of the pipeline's own."""
    table = rotary_table(axes, pipe.transformer.config.attention_head_dim)
    swap = lambda module, args, kwargs: (args, kwargs | {"image_rotary_emb": table})  # noqa: E731
    hook = pipe.transformer.register_forward_pre_hook(swap, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
