"""The house keeps its order: imports point one way, the front door is light, packages agree."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cogkit"
MAY_IMPORT = {
    "world": set(),
    "vae": set(),
    "transformer": set(),
    "plots": set(),
    "recording": set(),
    "interventions": {"recording", "prompts", "clips", "world"},
    "lessons": {"teaching", "vae", "transformer", "sampler", "recording", "world", "checkpoints"},
    "sampler": set(),
    "localisation": {"world", "recording", "interventions", "clips"},
    "training": {"world", "clips", "checkpoints", "plots"},
    "widgets": {
        *("plots", "sampler", "world", "recording", "clips"),
        *("generation", "noise", "page", "prompts", "checkpoints", "preview", "reach"),
    },
}
EVERYONE_MAY = {"shapes", "jsonl", "twin"}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "cogkit":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cogkit."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("cogkit."))


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_folders_import_only_what_lies_upstream(folder):
    for path in (PACKAGE / folder).glob("*.py"):
        extra = set(imports_of(path)) - MAY_IMPORT[folder] - EVERYONE_MAY - {folder}
        assert not extra, f"{path.relative_to(ROOT)} reaches into {extra}"


def test_every_way_to_import_is_seen(tmp_path):
    (tmp_path / "some.py").write_text(
        "from cogkit import page\nimport cogkit.world.paint\nfrom cogkit.vae.stream import Map\n"
    )
    assert [*imports_of(tmp_path / "some.py")] == ["page", "world", "vae"]


def test_every_folder_of_the_package_has_its_place_in_the_map():
    assert {p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name != "__pycache__"} == set(MAY_IMPORT)


def test_files_have_at_most_200_lines():
    long = {p.name: n for p in PACKAGE.rglob("*.py") if (n := len(p.read_text().splitlines())) > 200}
    assert not long


def test_the_whole_model_is_short_enough_for_one_sitting():
    files = [path for folder in ("vae", "transformer", "sampler") for path in (PACKAGE / folder).glob("*.py")]
    assert sum(len(path.read_text().splitlines()) for path in files) < 1800


def test_importing_cogkit_is_light():
    heavy = "torch diffusers transformers matplotlib ipywidgets".split()
    code = f"import cogkit, sys; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout.strip() == "[]"


def test_every_public_name_can_be_imported():
    import cogkit

    for name in cogkit.__all__:
        assert getattr(cogkit, name) is not None
    with pytest.raises(AttributeError, match="cogkit has no 'lod'"):
        cogkit.lod  # noqa: B018


def requirements(lines):
    return {re.split(r"[<>=!~ ]", line)[0].lower(): re.sub(r"\s", "", line).lower() for line in lines}


def test_conda_and_pip_users_get_the_same_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pip = requirements(project["dependencies"] + sum(project["optional-dependencies"].values(), []))
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = requirements([e for e in next(e["pip"] for e in entries if isinstance(e, dict)) if not e.startswith("-")])
    assert conda == pip
    assert f"python {project['requires-python']}" in entries


def test_the_constraints_pin_every_package_within_its_range():
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = dict(line.lower().split("==") for line in (ROOT / "constraints.txt").read_text().split())
    for line in project["dependencies"] + sum(project["optional-dependencies"].values(), []):
        wanted = Requirement(line)
        assert wanted.specifier.contains(pinned[wanted.name.lower()]), (
            f"{line}, but {pinned[wanted.name.lower()]} is pinned"
        )


def test_ci_runs_the_test_command_of_the_readme():
    assert "make test" in (ROOT / ".ci" / "run").read_text() and "make test" in (ROOT / "README.md").read_text()
