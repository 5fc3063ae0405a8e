"""Every notebook as Colab runs it: with Colab's packages, in a folder with nothing but the notebook, without a network.

`make test-colab`, or `make test-colab NOTEBOOKS=02` for one. The kit is installed by the notebook's own first cell,
from a zip of what is committed. It downloads and installs for some minutes before it is offline, so plain `make test`
leaves it out.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from packaging.utils import canonicalize_name

from cogkit.colab import bootstrap, stamp

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
COLAB = [line for line in (ROOT / "tests" / "colab" / "preinstalled.txt").read_text().splitlines() if line[0] != "#"]
BROUGHT = "jaxtyping wadler_lindig mediapy zarr numcodecs donfig setuptools".split()  # by the first cell


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="session")
def colab(tmp_path_factory):
    """The python of an environment like Colab's, what it holds, and the variables of an offline kernel."""
    folder = tmp_path_factory.mktemp("colab")
    python = folder / "venv" / "bin" / "python"
    ours = ROOT / "constraints.txt"
    torch = next(line for line in ours.read_text().split() if line.startswith("torch="))  # Colab's: gigabytes more
    (folder / "colab.txt").write_text("\n".join(torch if line.startswith("torch=") else line for line in COLAB))
    run(sys.executable, "-m", "venv", folder / "venv")
    run(python, "-m", "pip", "install", "-q", "-r", folder / "colab.txt")
    run(python, "-m", "pip", "wheel", "-q", "-w", folder / "wheels", "-c", ours, "--no-deps", *BROUGHT)
    stub = folder / "stub" / "google" / "colab"
    stub.mkdir(parents=True)
    (stub / "__init__.py").touch()
    (folder / "stub" / "sitecustomize.py").write_text("import google.colab\n")  # as a Colab kernel has
    run("git", "-C", ROOT, "archive", "--format=zip", "--prefix=cogkit/", "-o", folder / "source.zip", "HEAD")
    offline = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHONPATH", "COGKIT_"))}
    offline |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "wheels"), "PIP_CONFIG_FILE": os.devnull}
    offline |= {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(folder / "stub")}
    return python, folder, offline


def versions(python):
    listed = json.loads(run(python, "-m", "pip", "list", "--format=json"))
    return {canonicalize_name(package["name"]): package["version"] for package in listed}


@pytest.fixture(scope="session")
def before(colab):
    return versions(colab[0])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_alone_in_an_empty_folder_and_replaces_nothing(path, colab, before, tmp_path):
    python, folder, offline = colab
    notebook = nbformat.read(path, 4)
    stamp(notebook, bootstrap((folder / "source.zip").as_uri()), "")
    for cell in notebook.cells:  # nbformat wants strings
        cell.source = "".join(cell.source)
    nbformat.write(notebook, tmp_path / path.name)
    code = "import nbclient, nbformat, sys; nbclient.execute(nbformat.read(sys.argv[1], 4), timeout=600)"
    run(python, "-c", code, path.name, cwd=tmp_path, env=offline)
    after = versions(python)
    assert before == {name: after.get(name) for name in before}
    assert "cogkit-lab" in after and "jupyterlab" not in after
