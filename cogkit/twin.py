"""What every twin has in common with the class that it stands in for: config, weights, switches, the name on disk."""

import json

import torch
from torch import nn

# The notes that PEFT and the quantisers leave on a whole model.
LOADED = ("peft_config", "_hf_peft_config_loaded", "hf_quantizer", "is_quantized", "quantization_method")


class ConfigError(ValueError):
    """A configuration, or an argument, that no released CogVideoX has, or weights that a config does not speak of."""


class Twin:
    """Stands in for the diffusers class `stock`, and is saved under its name, so that stock diffusers loads it.

    `as_released`, not part of the config, brings the faults of the stock class back (docs/quirks.md), bit for bit.
    """

    stock: type
    as_released = False

    @classmethod
    def with_config_of(cls, stock) -> "Twin":
        """Every value as it is now; diffusers' from_config resets those that were defaults when `stock` was made."""
        made = cls.from_config({key: value for key, value in stock.config.items() if key != "_use_default_values"})
        made.register_to_config(**stock.config)
        return made

    def to_json_string(self) -> str:
        saved = json.loads(super().to_json_string()) | {"_class_name": self.stock.__name__}
        return json.dumps(saved, indent=2, sort_keys=True) + "\n"


class ModelTwin(Twin):
    """A twin with weights: those of the stock model, which it calls by the same names."""

    _supports_gradient_checkpointing = False

    @classmethod
    def from_stock(cls, stock: nn.Module, as_released: bool = False) -> "ModelTwin":
        """The twin of a running model. It has no weights of its own, so what changes or moves one, changes both.

        Where we use torch's own layers, the layers are the very same objects, with all that sits on them: a LoRA, a
        quantised weight, a hook of sequential offloading. What sits on the whole model (a hook of model
        offloading) does not come along; `swap` carries it over. Raises ConfigError.
        """
        if getattr(stock, "is_gradient_checkpointing", False):
            raise ConfigError("twins have no gradient checkpointing; call disable_gradient_checkpointing() first")
        with torch.device("meta"):
            twin = cls.with_config_of(stock)
        for path, layer in list(twin.named_modules()):
            if layer._parameters or layer._buffers:
                _share(twin, path, layer, stock.get_submodule(path))
        vars(twin).update({name: value for name, value in vars(stock).items() if name in LOADED})
        copy_switches(stock, twin)
        twin.as_released = as_released
        return twin.train(stock.training)

    def enable_cache(self, config) -> None:
        raise ConfigError("caches look for diffusers' own classes and would do nothing here; use them on the original")


def _share(twin: nn.Module, path: str, ours: nn.Module, theirs: nn.Module) -> None:
    if type(ours).__module__.startswith("torch."):
        return twin.set_submodule(path, theirs)
    for kind in ("_parameters", "_buffers"):
        found = getattr(theirs, kind)
        if found.keys() != getattr(ours, kind).keys():
            raise ConfigError(f"{path} has {sorted(found)}, not {sorted(getattr(ours, kind))}: not as its config says")
        getattr(ours, kind).update(found)


def copy_switches(source: nn.Module, target: nn.Module) -> None:
    """training, use_tiling, tile sizes and the like: the plain values that both have."""
    for name, value in vars(source).items():
        if isinstance(value, bool | int | float) and name in vars(target) and name not in LOADED:
            setattr(target, name, value)
