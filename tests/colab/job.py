"""Every notebook as Colab runs it: ipywidgets 7.7, a folder with nothing but the notebook, no network.

`make test-colab`. The kit is installed by the notebook's own first cell, from a zip of the tracked files.
It downloads and installs for some minutes before it is offline, so plain `make test` leaves it out.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from cogkit.colab import bootstrap, stamp

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SEVEN = ("ipywidgets=", "widgetsnbextension=", "jupyterlab_widgets=")  # Colab has older ones
# Colab's notebook is 6.5 too. A newer one, which ipywidgets 7.7 takes if it may, brings jupyterlab.
PREINSTALLED = """torch numpy matplotlib ipywidgets==7.7.* notebook==6.5.* ipykernel nbclient pillow tqdm
transformers diffusers accelerate einops scipy psutil jinja2 packaging sentencepiece protobuf xarray
setuptools""".split()


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="session")
def colab(tmp_path_factory):
    """The python of an environment like Colab's, what it holds, and the variables of an offline kernel."""
    folder = tmp_path_factory.mktemp("colab")
    python = folder / "venv" / "bin" / "python"
    limits = [line for line in (ROOT / "constraints.txt").read_text().split() if not line.startswith(SEVEN)]
    (folder / "limits.txt").write_text("\n".join(limits))
    run(sys.executable, "-m", "venv", folder / "venv")
    run(python, "-m", "pip", "install", "-q", "-c", folder / "limits.txt", *PREINSTALLED)
    run(python, "-m", "pip", "wheel", "-q", "-w", folder / "wheels", "-c", folder / "limits.txt", "--no-deps",
        "jaxtyping", "wadler_lindig", "mediapy", "imageio-ffmpeg", "zarr", "numcodecs", "donfig", "google-crc32c",
        "setuptools")  # fmt: skip
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
    return {p["name"]: p["version"] for p in json.loads(run(python, "-m", "pip", "list", "--format=json"))}


@pytest.fixture(scope="session")
def before(colab):
    return versions(colab[0])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_alone_in_an_empty_folder_and_upgrades_nothing(path, colab, before, tmp_path):
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
