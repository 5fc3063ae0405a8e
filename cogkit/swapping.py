"""Put the readable twins in the place of diffusers' modules, in a pipeline that goes on working, and take them out."""

from dataclasses import dataclass, field

from accelerate.hooks import add_hook_to_module, remove_hook_from_module
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel, DiffusionPipeline
from torch import nn

from cogkit.sampler.schedule import ScheduleError
from cogkit.sampler.schedulers import DDIM, DPM
from cogkit.transformer.transformer import KNOWN_PROCESSORS, ExpertTransformer
from cogkit.twin import LOADED, Twin, copy_switches
from cogkit.vae.autoencoder import CausalVAE

MODELS = {"vae": (AutoencoderKLCogVideoX, CausalVAE), "transformer": (CogVideoXTransformer3DModel, ExpertTransformer)}


class SwapError(ValueError):
    """A component cannot be swapped as it is."""


@dataclass
class Swap:
    """What was put in and what it replaced. `undo` takes it out; so does the end of a `with` block, however it ends."""

    pipe: DiffusionPipeline
    stock: dict[str, object] = field(default_factory=dict)
    twins: dict[str, object] = field(default_factory=dict)
    layers: dict[str, list[str]] = field(default_factory=dict)  # the layers that twin and stock have in common

    def undo(self) -> None:
        """Put the stock modules back, with all that happened to the twins: weights, device, LoRA, hooks, switches.

        A component that somebody else replaced meanwhile is left alone. Undoing twice does nothing.
        """
        for name in list(self.twins):
            twin, stock = self.twins.pop(name), self.stock.pop(name)
            if getattr(self.pipe, name) is not twin:
                continue
            if isinstance(stock, nn.Module):
                hooks = _take_hooks(twin)
                _move_back(twin, stock, self.layers[name])
                _give_hooks(hooks, stock)
            setattr(self.pipe, name, stock)

    def __enter__(self) -> DiffusionPipeline:
        return self.pipe

    def __exit__(self, *error) -> None:
        self.undo()


def swap(
    pipe: DiffusionPipeline,
    vae: bool = True,
    transformer: bool = True,
    scheduler: bool = True,
    as_released: bool = False,
) -> Swap:
    """Swap components of `pipe` in place: until `.undo()`, or, as `with cogkit.swap(pipe):`, until the block ends.

    The twins are right where the reference errs (docs/quirks.md); `as_released` reproduces it to the last bit.
    No weight is copied, and `save_pretrained` writes an ordinary pipeline. Raises SwapError, with the pipeline as it
    was, if a component has no twin, is one already, or is under group offloading. Another pipeline takes twins by
    name only: `CogVideoXVideoToVideoPipeline.from_pipe(pipe, vae=pipe.vae, transformer=pipe.transformer)`.
    """
    wanted = [name for name, on in (("vae", vae), ("transformer", transformer), ("scheduler", scheduler)) if on]
    for name in wanted:
        _check(name, getattr(pipe, name, None))
    done = Swap(pipe)
    try:
        for name in wanted:
            stock = getattr(pipe, name)
            if name == "scheduler":
                twin = scheduler_twin(stock, as_released)
            else:
                twin, done.layers[name] = _model_twin(stock, MODELS[name][1], as_released)
            done.stock[name], done.twins[name] = stock, twin
            setattr(pipe, name, twin)
            pipe.register_to_config(**{name: ("diffusers", type(stock).__name__)})  # what a saved pipeline loads
    except BaseException:
        done.undo()
        raise
    return done


def scheduler_twin(scheduler, as_released: bool = False) -> DDIM | DPM:
    """The twin of a CogVideoX scheduler. Raises ScheduleError for any other kind."""
    for twin in (DDIM, DPM):
        if isinstance(scheduler, twin.stock):
            return twin.from_stock(scheduler, as_released)
    raise ScheduleError(f"{type(scheduler).__name__} has no twin; use CogVideoXDDIMScheduler or CogVideoXDPMScheduler")


def _check(name: str, stock) -> None:
    if isinstance(stock, Twin):
        raise SwapError(f"the {name} is a twin already; undo that swap first, or leave it with {name}=False")
    mirrored = (MODELS[name][0],) if name in MODELS else (DDIM.stock, DPM.stock)
    if not isinstance(stock, mirrored):
        kind = f"{type(stock).__name__}, not a {' or '.join(one.__name__ for one in mirrored)}"
        raise SwapError(f"the {name} is a {kind}, and has no twin; leave it with {name}=False")
    if name not in MODELS:
        return
    for processor in getattr(stock, "attn_processors", {}).values():
        if type(processor) not in KNOWN_PROCESSORS:
            kind = type(processor).__name__
            raise SwapError(f"the {name} attends by {kind}, which its twin would not ask; leave it with {name}=False")
    if any(getattr(getattr(module, "_diffusers_hook", None), "hooks", None) for module in stock.modules()):
        raise SwapError(f"the {name} is under diffusers hooks (group offloading, a cache); enable them after the swap")


def _model_twin(stock: nn.Module, twin_class: type, as_released: bool) -> tuple[nn.Module, list[str]]:
    hooks = _take_hooks(stock)  # sequential offloading hides the weights in its hooks: without them they are back
    try:
        twin = twin_class.from_stock(stock, as_released=as_released)
    except BaseException:
        _give_hooks(hooks, stock)
        raise
    ours = dict(twin.named_modules())
    shared = [path for path, module in stock.named_modules() if ours.get(path) is module]
    _give_hooks(hooks, twin)
    return twin, shared


def _move_back(twin: nn.Module, stock: nn.Module, shared: list[str]) -> None:
    """Shared layers as they are now (with LoRA or without), weights and buffers by name, then the switches."""
    for path in shared:
        if not any(path.startswith(f"{above}.") for above in shared):
            stock.set_submodule(path, twin.get_submodule(path))
    theirs = dict(stock.named_modules())
    for path, module in twin.named_modules():
        for kind in ("_parameters", "_buffers"):
            for leaf, tensor in getattr(module, kind).items():
                if path in theirs and leaf in getattr(theirs[path], kind):
                    getattr(theirs[path], kind)[leaf] = tensor
    for note in LOADED:
        vars(stock).pop(note, None)
        vars(stock).update({note: vars(twin)[note]} if note in vars(twin) else {})
    copy_switches(twin, stock)


def _take_hooks(model: nn.Module) -> dict[str, object]:
    hooks = {path: module._hf_hook for path, module in model.named_modules() if hasattr(module, "_hf_hook")}
    if hooks:
        remove_hook_from_module(model, recurse=True)
    return hooks


def _give_hooks(hooks: dict[str, object], model: nn.Module) -> None:
    for path, hook in hooks.items():
        add_hook_to_module(model.get_submodule(path), hook)
