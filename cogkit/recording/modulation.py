"""Expert AdaLN as a table: shift, scale and gate of every layer, from the timestep alone; the model does not run."""

from collections.abc import Iterable

import numpy as np
import torch
import xarray as xr
from diffusers.models.activations import get_activation
from diffusers.models.embeddings import get_timestep_embedding
from torch import nn

PARTS, STREAMS = ("shift", "scale", "gate"), ("video", "text")


class ModulationError(ValueError):
    """A model whose modulation does not follow from the timestep alone, or a timestep that it does not have."""


@torch.no_grad()
def modulation_table(pipe_or_transformer, timesteps: Iterable[int]) -> xr.DataArray:
    """(train_timestep, layer, norm, stream, part, channel): what AdaLN does at each of the `timesteps` (0..999).

    norm 1 is before attention, 2 before the feed-forward. It depends on no prompt, seed, branch or position.
    Only the time embedding and one linear a norm are touched, one after the other, on the CPU and in fp32: fit for a
    5B model whose other weights were never loaded. 6.2 MB a timestep for 5B.
    Raises ModulationError for image-to-video 1.5 models, which mix in their `ofs` embedding, and for weights on `meta`.
    """
    model = getattr(pipe_or_transformer, "transformer", pipe_or_transformer)
    if getattr(model, "ofs_embedding", None) is not None:
        raise ModulationError("this model adds an `ofs` embedding to the timestep's; its modulation has no table")
    times = sorted({int(time) for time in timesteps})
    if not times or times[0] < 0 or times[-1] > 999:
        raise ModulationError(f"timesteps={times} must be train timesteps from 0 to 999, at least one")
    config = model.config
    width = config.num_attention_heads * config.attention_head_dim
    wave = get_timestep_embedding(torch.tensor(times), width, config.flip_sin_to_cos, config.freq_shift)
    hidden = get_activation(config.timestep_activation_fn)(_linear(model.time_embedding.linear_1, wave))
    embedded = _linear(model.time_embedding.linear_2, hidden)
    active = nn.functional.silu(embedded)
    blocks = model.transformer_blocks
    found = np.empty((len(times), len(blocks), 2, 2, 3, width), np.float32)
    for layer, block in enumerate(blocks):
        for norm, module in enumerate((block.norm1, block.norm2)):
            found[:, layer, norm] = _linear(module.linear, active).unflatten(-1, (2, 3, width)).numpy()
    axes = ("train_timestep", "layer", "norm", "stream", "part", "channel")
    labels = (times, range(len(blocks)), [1, 2], list(STREAMS), list(PARTS))
    return xr.DataArray(found, dims=axes, coords=dict(zip(axes, labels, strict=False)), name="modulation")


def _linear(linear: nn.Module, value: torch.Tensor) -> torch.Tensor:
    if linear.weight.is_meta:
        raise ModulationError(
            "the AdaLN weights are on the meta device (offloaded or not loaded); call modulation_table before "
            "enable_sequential_cpu_offload, or load only norm*.linear and time_embedding"
        )
    weight = linear.weight.float().cpu()
    if hasattr(linear, "get_delta_weight") and not (linear.merged or linear.disable_adapters):  # a LoRA of PEFT
        for name in set(linear.active_adapters) & set(linear.lora_A):
            weight = weight + linear.get_delta_weight(name).float().cpu()
    bias = None if linear.bias is None else linear.bias.float().cpu()
    return nn.functional.linear(value, weight, bias)
