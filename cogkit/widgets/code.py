"""What is on screen, as the code that makes it again."""

from dataclasses import MISSING, fields
from pathlib import Path

from diffusers import CogVideoXPipeline

from cogkit.checkpoints import DATA
from cogkit.generation import Generation, Settings

WIDE = 100  # columns: a longer call is written over several lines


def code_for(pipe: CogVideoXPipeline, made: Generation, view: str, choices: dict, pinned: Generation | None = None):
    """The cell: loads the checkpoint, generates (the pinned run too, if it is compared), draws the view.

    `choices` are the arguments of the view. Weights that were changed after loading are not seen from here.
    """
    name = pipe.config._name_or_path
    name = "nano" if Path(name).resolve() == (DATA / "nano").resolve() else name
    drawn = {key: _Code("pipe") if value is pipe else value for key, value in choices.items() if value is not None}
    lines = [
        "import torch",
        "",
        "import cogkit",
        "from cogkit.widgets import session, views",
        "",
        f"pipe = cogkit.load({name!r}, dtype={pipe.dtype})",
        *([] if pipe.device.type == "cpu" else [f'pipe.to("{pipe.device}")']),
        *_generated("made", made),
    ]
    arguments = [_Code("made")]
    if pinned is not None:
        lines += _generated("pinned", pinned)
        arguments.append(_Code("pinned"))
    call = ", ".join([*map(repr, arguments), *(f"{key}={value!r}" for key, value in drawn.items())])
    return "\n".join([*lines, f"figure, readout = views.{view}({call})", "print(readout)", "cogkit.show(figure)"])


def _generated(name: str, made: Generation) -> list[str]:
    each = "" if "head" in made.run["video->text"].dims else ', heads="mean"'
    chosen = f"{name}_settings"
    return [
        f"{chosen} = {settings_code(made.settings)}",
        f"{name} = cogkit.generate(",
        f"    pipe, {chosen}, *session.looks({chosen}{each}), steps=session.kept_steps({chosen})",
        ")",
    ]


def settings_code(settings: Settings) -> str:
    """The call of cogkit.Settings, without what is the default anyway."""
    given = [
        f"{field.name}={getattr(settings, field.name)!r}"
        for field in fields(Settings)
        if field.default is MISSING or getattr(settings, field.name) != field.default
    ]
    short = f"cogkit.Settings({', '.join(given)})"
    return short if len(short) <= WIDE else "cogkit.Settings(\n    " + ",\n    ".join(given) + ",\n)"


class _Code(str):
    """A name, not a string."""

    __repr__ = str.__str__
