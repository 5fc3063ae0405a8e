"""Notebook 03: one norm with two experts, what a norm becomes when the clock stands still, and what an expert costs."""

import torch
from torch import nn

from cogkit.teaching import Exercise, check


def _example(width: int = 8):
    """Tokens of both streams, a LayerNorm with weights of its own, and numbers (b, stream, part, d): video first."""
    dice = torch.Generator().manual_seed(0)
    norm = nn.LayerNorm(width)
    with torch.no_grad():
        norm.weight.copy_(torch.rand(width, generator=dice) + 0.5)
        norm.bias.copy_(torch.randn(width, generator=dice))
    video, text = (torch.randn(2, n, width, generator=dice) for n in (5, 3))
    return video, text, torch.randn(2, 2, 3, width, generator=dice), norm


def modulate(video, text, numbers, norm):
    """The same norm for both streams, then each stream's own shift and scale. numbers: (b, stream, part, d)."""
    (shift, scale, _), (text_shift, text_scale, _) = (stream.unbind(1) for stream in numbers.unbind(1))
    return (
        norm(video) * (1 + scale[:, None]) + shift[:, None],
        norm(text) * (1 + text_scale[:, None]) + text_shift[:, None],
    )


def _test_modulate(answer):
    video, text, numbers, norm = _example()
    silent = numbers.clone()
    silent[:, :, :2] = 0
    for got, tokens in zip(answer(video, text, silent, norm), (video, text), strict=True):
        check("with shift and scale at zero it is the LayerNorm alone", got, equals=norm(tokens), within=1e-5)
    for got, wanted in zip(answer(video, text, numbers, norm), modulate(video, text, numbers, norm), strict=True):
        check("each stream gets its own shift and scale", got, equals=wanted, within=1e-5)


def scale_without_one(video, text, numbers, norm):
    return tuple(norm(x) * numbers[:, k, 1, None] + numbers[:, k, 0, None] for k, x in enumerate((video, text)))


def scale_before_shift(video, text, numbers, norm):
    return tuple(norm(x) * (1 + numbers[:, k, 0, None]) + numbers[:, k, 1, None] for k, x in enumerate((video, text)))


def text_first(video, text, numbers, norm):
    return modulate(video, text, numbers.flip(1), norm)


def video_expert_for_all(video, text, numbers, norm):
    return modulate(video, text, numbers[:, [0, 0]], norm)


def without_the_norm(video, text, numbers, norm):
    return modulate(video, text, numbers, lambda tokens: tokens)


MODULATE = Exercise(
    "modulate",
    modulate,
    _test_modulate,
    (
        "numbers[:, 0] is the video's, numbers[:, 1] the text's; then come shift, scale, gate",
        "norm(tokens) * (1 + scale) + shift, where scale[:, None] broadcasts over the tokens",
    ),
    (scale_without_one, scale_before_shift, text_first, video_expert_for_all, without_the_norm),
)


def fold(weight, bias, shift, scale):
    """The weight and bias of a plain LayerNorm that does what a modulated one does at one timestep."""
    return weight * (1 + scale), bias * (1 + scale) + shift


def _test_fold(answer):
    video, _, numbers, norm = _example()
    shift, scale, _ = numbers[0, 0]
    weight, bias = answer(norm.weight, norm.bias, shift, scale)
    plain = nn.functional.layer_norm(video, norm.normalized_shape, weight, bias, norm.eps)
    wanted = norm(video) * (1 + scale) + shift
    check("a plain LayerNorm with these weights does the same", plain, equals=wanted, within=1e-5)


def bias_left_alone(weight, bias, shift, scale):
    return weight * (1 + scale), bias + shift


def shift_scaled_too(weight, bias, shift, scale):
    return weight * (1 + scale), (bias + shift) * (1 + scale)


def scale_added(weight, bias, shift, scale):
    return weight + scale, bias * (1 + scale) + shift


FOLD = Exercise(
    "fold",
    fold,
    _test_fold,
    (
        "write LayerNorm as n * weight + bias, with n the normalised tokens, and put it into the formula",
        "collect what multiplies n, and what does not; the bias is scaled as well",
    ),
    (bias_left_alone, shift_scaled_too, scale_added),
)


def without_experts(numbers):
    """Both streams get the mean of the two. numbers: (b, stream, part, d), and so is the answer."""
    return numbers.mean(1, keepdim=True).expand_as(numbers)


def _test_without_experts(answer):
    numbers = _example()[2]
    got, before = answer(numbers.clone()), numbers.clone()
    check("the shape stays", list(got.shape), equals=list(numbers.shape))
    check("video and text get the same numbers", got[:, 0], equals=got[:, 1])
    check("they are the mean of the two", got[:, 0], equals=(before[:, 0] + before[:, 1]) / 2, within=1e-6)


def mean_without_its_axis(numbers):
    return numbers.mean(1)


def mean_over_parts(numbers):
    return numbers.mean(2, keepdim=True).expand_as(numbers)


def mean_over_everything(numbers):
    return numbers.mean((1, 2, 3), keepdim=True).expand_as(numbers)


def video_for_both(numbers):
    return numbers[:, [0, 0]]


WITHOUT_EXPERTS = Exercise(
    "without_experts",
    without_experts,
    _test_without_experts,
    ("the streams lie on axis 1", "mean(1, keepdim=True) keeps the axis; expand_as fills it again"),
    (mean_without_its_axis, mean_over_parts, mean_over_everything, video_for_both),
)


def text_expert_parameters(layers: int, width: int, time_embed_dim: int) -> int:
    """What the text's shift, scale and gate cost: two norms a layer, one linear layer (with bias) for each."""
    return layers * 2 * (time_embed_dim + 1) * 3 * width


def _test_text_expert_parameters(answer):
    linear = nn.Linear(4, 6 * 8)  # one norm of a model of width 8: both streams
    one_norm = sum(p.numel() for p in linear.parameters()) // 2
    check("a block has two norms", answer(1, 8, 4), equals=2 * one_norm)
    check("layers count", answer(3, 8, 4), equals=3 * 2 * one_norm)


def no_bias(layers, width, time_embed_dim):
    return layers * 2 * time_embed_dim * 3 * width


def one_norm_a_block(layers, width, time_embed_dim):
    return layers * (time_embed_dim + 1) * 3 * width


def both_streams(layers, width, time_embed_dim):
    return layers * 2 * (time_embed_dim + 1) * 6 * width


def without_gate(layers, width, time_embed_dim):
    return layers * 2 * (time_embed_dim + 1) * 2 * width


TEXT_EXPERT_PARAMETERS = Exercise(
    "text_expert_parameters",
    text_expert_parameters,
    _test_text_expert_parameters,
    (
        "a linear layer from a to b has (a + 1) b parameters",
        "three parts (shift, scale, gate) of d numbers, for one stream, before attention and before the feed-forward",
    ),
    (no_bias, one_norm_a_block, both_streams, without_gate),
)
