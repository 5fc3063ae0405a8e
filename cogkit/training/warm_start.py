"""A VAE encoder that starts as a linear code instead of as noise.

From a random start the encoder is the slow half of a VAE. Yet the path around its residual branches (convolution in,
pooling, strided convolutions, shortcuts) is linear, and wide enough to carry the principal components of every level.
So it is set by PCA, level by level, and the last layer by least squares on the linear code. The branches start silent
and learn what a linear code cannot say.

Two turns get the code through the nonlinear end unharmed:
  silu(x) - silu(-x) = x, so a pair of channels with opposite signs passes SiLU as if it were not there;
  a constant pair (+B, -B) in every group makes the statistics of GroupNorm almost independent of the clip.
"""

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLCogVideoX
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.shapes import Video
from cogkit.training.linear_code import LinearCode

STEADY = 4.0  # B, in standard deviations of the code
QUIET_LOGVAR = -7.0  # the posterior starts narrow: standard deviation 0.03
SYMMETRY_NOISE = 0.02


@torch.no_grad()
def start_as_linear_code(vae: AutoencoderKLCogVideoX, code: LinearCode, footage: list[Video]) -> float:
    """Set the encoder's weights so that its mean is close to `code.encode`; returns the share of variance missed.

    `footage` is what the principal components of each level are fitted to; some 60 clips are enough.
    """
    encoder = vae.encoder
    for resnet in _resnets(encoder):
        nn.init.zeros_(resnet.conv2.conv.weight)
        nn.init.zeros_(resnet.conv2.conv.bias)

    # Level 0: a pixel together with its own past, which is all that causality leaves of motion.
    lags, colours = encoder.conv_in.conv.weight.shape[2], encoder.conv_in.conv.weight.shape[1]
    _small_noise(encoder.conv_in.conv)
    for lag in range(lags):
        for c in range(colours):
            encoder.conv_in.conv.weight[lag * colours + c] = 0
            encoder.conv_in.conv.weight[lag * colours + c, c, lags - 1 - lag, 1, 1] = 1

    features = [encoder.conv_in(video)[0] for video in footage]
    for block in encoder.down_blocks:
        if not block.downsamplers:
            break  # the last block's shortcut belongs to the ending
        features = [_shortcut(block, f) for f in features]
        down = block.downsamplers[0]
        _set_to_principal_components(down.conv, [_pool_time(f) if down.compress_time else f for f in features])
        features = [down(f) for f in features]
    return _set_ending(encoder, features, [code.encode(video) for video in footage])


def _shortcut(block: nn.Module, features: Tensor) -> Tensor:
    """Widen without mixing: the first channels pass as they are. (With silent branches, a block is its shortcut.)"""
    for resnet in block.resnets:
        if resnet.in_channels != resnet.out_channels:
            conv = resnet.conv_shortcut
            _small_noise(conv)
            conv.weight[: resnet.in_channels] = torch.eye(resnet.in_channels)[:, :, None, None, None]
            features = conv(features)
    return features


def _set_to_principal_components(conv: nn.Conv2d, features: list[Tensor]) -> None:
    """A stride-2 convolution that keeps the strongest directions of every 2x2 block."""
    blocks = torch.cat([rearrange(f, "b c t (h i) (w j) -> (b t h w) (c i j)", i=2, j=2) for f in features])
    directions = torch.linalg.eigh(blocks.T @ blocks / len(blocks))[1].flip(1)[:, : conv.out_channels]
    _small_noise(conv)
    kept = directions.shape[1]
    conv.weight[:kept] = 0
    conv.weight[:kept, :, :2, :2] = rearrange(directions, "(c i j) o -> o c i j", i=2, j=2)


def _set_ending(encoder: nn.Module, features: list[Tensor], targets: list[Float[Tensor, "b c t h w"]]) -> float:
    """Turn the last level's features into the code, through GroupNorm and SiLU."""
    inputs = torch.cat([rearrange(f, "b c t h w -> (b t h w) c") for f in features])
    wanted = torch.cat([rearrange(f, "b c t h w -> (b t h w) c") for f in targets])
    inputs = F.pad(inputs, (0, 1), value=1.0)
    ridge = 1e-4 * len(inputs) * torch.eye(inputs.shape[1])
    solution = torch.linalg.solve(inputs.T @ inputs + ridge, inputs.T @ wanted)  # (features + 1, code)
    error = (inputs @ solution - wanted).square().mean() / wanted.square().mean()

    last = encoder.down_blocks[-1].resnets[0]
    norm, out, code_channels = encoder.norm_out, encoder.conv_out.conv, wanted.shape[1]
    per_group = norm.num_channels // norm.num_groups
    if code_channels != norm.num_groups or per_group < 4 or last.in_channels == last.out_channels:
        raise ValueError(
            f"the encoder ends in {norm.num_groups} groups of {per_group} channels for {code_channels} latent channels;"
            " a linear start needs one group of at least 4 channels per latent channel and a widening last block"
        )
    scale = ((2 + 2 * STEADY**2) / per_group) ** -0.5  # what GroupNorm will multiply by
    _small_noise(last.conv_shortcut)
    _small_noise(out)
    for k in range(code_channels):
        plus, minus, high, low = range(k * per_group, k * per_group + 4)
        for channel, sign in ((plus, 1), (minus, -1)):
            last.conv_shortcut.weight[channel, :, 0, 0, 0] = sign * solution[:-1, k]
            last.conv_shortcut.bias[channel] = sign * solution[-1, k]
            out.weight[:code_channels, channel] = 0
            out.weight[k, channel, -1, 1, 1] = sign / scale
        for channel, sign in ((high, 1), (low, -1)):
            last.conv_shortcut.weight[channel] = 0
            last.conv_shortcut.bias[channel] = sign * STEADY
            out.weight[:code_channels, channel] = 0
    out.weight[code_channels:] *= 0.1
    out.bias[code_channels:] = QUIET_LOGVAR
    return float(error)


def _pool_time(features: Tensor) -> Tensor:
    """The temporal half of a downsampler: frame 0 alone, the others averaged in pairs."""
    first, rest = features[:, :, :1], features[:, :, 1:]
    return torch.cat([first, (rest[:, :, 0::2] + rest[:, :, 1::2]) / 2], dim=2)


def _small_noise(conv: nn.Module) -> None:
    """Channels without a job start nearly silent, but different from each other."""
    nn.init.normal_(conv.weight, std=SYMMETRY_NOISE / conv.weight[0].numel() ** 0.5)
    nn.init.zeros_(conv.bias)


def _resnets(encoder: nn.Module):
    return [m for m in encoder.modules() if type(m).__name__ == "CogVideoXResnetBlock3D"]
