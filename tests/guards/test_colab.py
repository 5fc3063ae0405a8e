"""The address in pyproject.toml, the version, the links and the first cells say the same; and what they install."""

import json
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path
from shutil import copytree

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import cogkit
from cogkit.colab import ID, StampError, archive, badge, bootstrap, stamp_all

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TAG = f"v{PROJECT['version']}"
PREINSTALLED = (ROOT / "tests" / "colab" / "preinstalled.txt").read_text()
LACKING = {"jaxtyping", "wadler-lindig", "mediapy", "zarr", "numcodecs", "donfig"}  # of what cogkit needs, in Colab


def test_the_package_and_its_distribution_have_one_version():
    assert cogkit.__version__ == PROJECT["version"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_cell_and_the_link_are_those_of_the_address_and_the_version(path):
    cells = json.loads(path.read_text())["cells"]
    first = next(cell for cell in cells if cell["cell_type"] == "code")
    assert first.get("id") == ID, "run make colab"
    assert "".join(first["source"]) == bootstrap(archive(PROJECT["urls"]["Repository"], TAG))
    assert badge(PROJECT["urls"]["Repository"], TAG, path.name) in "".join(cells[0]["source"])


@pytest.fixture
def copy(tmp_path):
    copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    return tmp_path


def test_one_command_changes_the_address_everywhere_and_a_second_run_changes_nothing(copy):
    stamp_all(copy, "somebody/a-fork", TAG)
    once = {path: path.read_text() for path in (copy / "notebooks").glob("*.ipynb")}
    for text in [(copy / "pyproject.toml").read_text(), *once.values()]:
        assert "somebody/a-fork" in text and PROJECT["urls"]["Repository"] not in text
    stamp_all(copy, "somebody/a-fork", TAG)
    assert once == {path: path.read_text() for path in once}


@pytest.mark.parametrize("repo, tag, words", [("alone", TAG, "owner/name"), ("a/b", "v9.9", "'v9.9', but")])
def test_a_wrong_address_or_tag_is_refused_and_nothing_is_written(copy, repo, tag, words):
    before = [path.read_text() for path in sorted(copy.rglob("*.*")) if path.is_file()]
    with pytest.raises(StampError, match=words):
        stamp_all(copy, repo, tag)
    assert before == [path.read_text() for path in sorted(copy.rglob("*.*")) if path.is_file()]


@pytest.mark.parametrize("other, refused", [("", True), ("KIT = 'cogkit-lab'", False)])
def test_the_first_cell_refuses_another_package_called_cogkit_and_is_quiet_with_ours(tmp_path, other, refused):
    (tmp_path / "cogkit.py").write_text(other)
    lines = bootstrap("https://nowhere.invalid/x.zip").replace("%pip install", "raise SystemExit #")
    done = subprocess.run([sys.executable, "-c", lines], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)},
                          capture_output=True, text=True)  # fmt: skip
    assert done.stdout == "" and (done.returncode != 0) == refused
    assert ("pip uninstall cogkit" in done.stderr) == refused


def test_pip_adds_to_colab_what_it_lacks_and_replaces_nothing():
    lines = [line.split("==") for line in PREINSTALLED.splitlines() if not line.startswith("#")]
    has = {canonicalize_name(name): version for name, version in lines}
    asked, installed = [Requirement(line) for line in PROJECT["dependencies"]], set()
    for wanted in asked:  # it grows while pip brings more along
        name, there = canonicalize_name(wanted.name), {"extra": "", "python_version": "3.13"}
        here = name in has and wanted.specifier.contains(has[name])
        if not here and name not in installed and (wanted.marker is None or wanted.marker.evaluate(there)):
            installed.add(name)
            asked += [Requirement(line) for line in requires(name) or []]
    assert installed == LACKING
