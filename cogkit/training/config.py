"""What a training run is made of, read from a TOML file; anything unknown or missing is refused with its name."""

import dataclasses
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

PARTS = ("vae", "text", "transformer")


class ConfigError(ValueError):
    """A training config that does not say what it must."""


@dataclass(frozen=True)
class Group:
    """Clips of one kind in a step."""

    size: int  # side of the frames or crops, in pixels
    frames: int  # duration
    clips: int  # how many


@dataclass(frozen=True)
class Stage:
    """A stretch of steps that train on the same mix. The transformer packs all groups into each step."""

    steps: int
    groups: tuple[Group, ...]
    text_slots: tuple[int, ...] = ()  # text, transformer: lengths that prompts are padded to, one drawn per step
    train_encoder: bool = True  # VAE
    film: float = 0.35  # VAE: share of real clips


@dataclass(frozen=True)
class Scenes:
    """What is encoded for the clips, or the single frames, of one size."""

    count: int
    lies: bool = False  # whether each is encoded a second time as it is not (contradiction.py)
    miscounts: bool = False  # and once more with a thing too many or too few (miscount.py)
    first: int = 0  # seed; another run's scenes begin elsewhere
    two: float = 1 / 3  # share with two things
    painted: float = 0.0  # share of things in colours beyond the palette (world/paint.py)


@dataclass(frozen=True)
class Config:
    part: str  # "vae", "text" or "transformer"
    stages: tuple[Stage, ...]
    seed: int = 0
    start: str = ""  # a pipeline folder to go on from, instead of from nothing
    learning_rate: float = 1e-3
    warmup: int = 100  # steps from zero to the full learning rate; from there a cosine to zero
    weight_decay: float = 1e-4
    optimiser: str = "adamw"  # "muon": Muon for the matrices of the transformer's blocks, AdamW for the rest
    compile: bool = False  # torch.compile for the transformer's blocks: a fifth faster, wants a C++ compiler
    alignment: float = 0.0  # transformer: weight of the second lesson for the early blocks (alignment.py)
    even_clips: bool = False  # VAE: clips weigh alike, or film, far harder than drawings, would outvote them
    even_levels: bool = False  # transformer: errors in units of what is usual at their noise level (usual_error.py)
    clip_norm: float = 1.0
    average_decay: float = 0.999
    note_every: int = 20
    validate_every: int = 500
    save_every: int = 250
    model: dict = dataclasses.field(default_factory=dict)  # sizes, handed to the diffusers class
    data: dict[str, int | Scenes] = dataclasses.field(default_factory=dict)  # clips_128, stills_64, ..., and counts

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> Stage:
        for stage in self.stages:
            if step < stage.steps:
                return stage
            step -= stage.steps
        return self.stages[-1]

    def scenes(self, size: int, frames: int) -> Scenes:
        """What is encoded for clips, or single frames, of this size. Raises ConfigError if the config does not say."""
        key = f"{'stills' if frames == 1 else 'clips'}_{size}"
        wanted = self.data.get(key)
        if not isinstance(wanted, Scenes):
            raise ConfigError(f"[data] {key} is {wanted!r}; clips of it are trained on, so give a table with its count")
        return wanted

    def learning_rate_at(self, step: int) -> float:
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def read_config(path: Path) -> Config:
    """Raises ConfigError naming the file and the key."""
    try:
        raw = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError(f"there is no config {path}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    try:
        raw["stages"] = tuple(_stage(**stage) for stage in raw.get("stages", []))
        raw["data"] = {k: Scenes(**v) if isinstance(v, dict) else v for k, v in raw.get("data", {}).items()}
        config = Config(**raw)
    except TypeError as error:
        raise ConfigError(f"{path}: {error}") from None
    if config.part not in PARTS:
        raise ConfigError(f"{path}: part={config.part!r} must be one of {', '.join(map(repr, PARTS))}")
    if not config.stages:
        raise ConfigError(f"{path} has no [[stages]]")
    if config.part != "vae" and not all(stage.text_slots for stage in config.stages):
        raise ConfigError(f"{path}: a stage has text_slots=[]; say to how many sentences are padded, such as [40, 226]")
    return config


def _stage(groups: list[dict], text_slots: list[int] = (), **rest) -> Stage:
    return Stage(groups=tuple(Group(**group) for group in groups), text_slots=tuple(text_slots), **rest)
