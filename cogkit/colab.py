"""The first cell of every notebook and its link to Colab, stamped from one address and one version.

`make colab REPO=owner/name TAG=v0.1.0` writes the address into pyproject.toml and stamps the notebooks in notebooks/.
"""

import argparse
import json
import re
import tomllib
from pathlib import Path

ID = "bootstrap"  # of the cell, and how it is found again
CELL = """\
import importlib.util
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("cogkit") is None:
    %pip install -q "{archive}"
import cogkit

if getattr(cogkit, "KIT", None) != "cogkit-lab":
    raise ImportError("another package is called cogkit, too: pip uninstall cogkit, restart, run this again")"""
BADGE = re.compile(r"\[Open in Colab\]\(\S*\)")
ADDRESS = re.compile(r'(?m)^Repository = "(.*)"$')


class StampError(ValueError):
    """The address, or the tag, is not one that can be stamped."""


def bootstrap(archive: str) -> str:
    """Source of the first code cell. `archive` is the address of the zip that Colab installs."""
    return CELL.format(archive=archive)


def archive(repository: str, tag: str) -> str:
    """Where GitHub keeps the source of a tag, as a zip."""
    return f"{repository}/archive/refs/tags/{tag}.zip"


def badge(repository: str, tag: str, name: str) -> str:
    """The link that opens notebooks/`name` of a tag in Colab, in Markdown."""
    path = repository.removeprefix("https://github.com/")
    return f"[Open in Colab](https://colab.research.google.com/github/{path}/blob/{tag}/notebooks/{name})"


def stamp(notebook: dict, source: str, link: str) -> None:
    """Put the link under the title and the bootstrap cell first, in place of the ones that are there."""
    title, *lines = "".join(notebook["cells"][0]["source"]).split("\n")
    body = BADGE.sub("", "\n".join(lines)).strip("\n")
    notebook["cells"][0]["source"] = f"{title}\n\n{link}\n\n{body}".splitlines(keepends=True)
    cell = next((cell for cell in notebook["cells"] if cell.get("id") == ID), None)
    if cell is None:
        cell = {"cell_type": "code", "execution_count": None, "id": ID, "metadata": {}, "outputs": []}
        notebook["cells"].insert(1, cell)
    cell["source"] = source.splitlines(keepends=True)


def stamp_all(root: Path, repo: str, tag: str) -> None:
    """Stamp pyproject.toml and the notebooks under `root`. `repo` is owner/name; `tag` is v and the version.

    Raises StampError, before anything is written, if `repo` is no such name or `tag` is of another version.
    """
    project = root / "pyproject.toml"
    text = project.read_text()
    version = tomllib.loads(text)["project"]["version"]
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise StampError(f"REPO is {repo!r}; give owner/name, as GitHub writes it")
    if tag != f"v{version}":
        raise StampError(f"TAG is {tag!r}, but pyproject.toml has version {version}; give v{version}, or change both")
    repository = f"https://github.com/{repo}"
    project.write_text(ADDRESS.sub(f'Repository = "{repository}"', text))
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        notebook = json.loads(path.read_text())
        stamp(notebook, bootstrap(archive(repository, tag)), badge(repository, tag, path.name))
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repo", help="owner/name")
    parser.add_argument("tag", help="v and the version, such as v0.1.0")
    arguments = parser.parse_args()
    try:
        stamp_all(Path(__file__).parents[1], arguments.repo, arguments.tag)
    except StampError as error:
        parser.error(str(error))
