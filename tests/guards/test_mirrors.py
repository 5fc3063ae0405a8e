"""What the pieces say of themselves: the shapes in their signatures, and the symbols of diffusers that they mirror."""

import re
import subprocess
import sys
from pathlib import Path

import diffusers
import jaxtyping
import pytest
import torch

from cogkit.sampler.schedule import shift_snr

PACKAGE = Path(__file__).parents[2] / "cogkit"
PIECES = [path for folder in ("vae", "transformer", "sampler") for path in (PACKAGE / folder).glob("*.py")]
MIRRORED = re.compile(r"Mirrors: ([^,;(\n]+)")
SYMBOL = re.compile(r"\b(?:\w+\.)?[A-Za-z]*(?:CogVideoX|_)\w+(?:\.\w+)*")  # not the English words around it


def test_every_symbol_that_a_piece_mirrors_is_in_diffusers():
    source = "\n".join(path.read_text() for path in Path(diffusers.__file__).parent.rglob("*.py"))
    known, named = set(re.findall(r"\w+", source)), set()
    for path in PIECES:
        for said in MIRRORED.findall(path.read_text()):
            named |= {part for symbol in SYMBOL.findall(said) for part in symbol.split(".") if part}
    assert len(named) > 30 and not named - known


def test_a_wrong_shape_is_refused_while_tests_run():
    with pytest.raises(jaxtyping.TypeCheckError):
        shift_snr(torch.ones(2, 2), 3)


def test_outside_of_tests_nothing_checks_shapes():
    code = "import torch; from cogkit.sampler.schedule import shift_snr; print(*shift_snr(torch.ones(2, 2), 3).shape)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "2 2"
