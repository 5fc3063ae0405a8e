"""JupyterLab on a folder of bare notebooks, once for each ipywidgets, and Chromium to look at it."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

import nbformat
import psutil
import pytest

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "outputs" / "browser"
# ipywidgets, beside the rest of the environment: Colab still has 7.7, whose controls are other programs in the browser.
WIDGETS = {"8": None, "7.7": ROOT / "outputs" / "ipywidgets-7.7"}
# What the explorer at the end of 06 needs. The other cells are most of a minute's work, and nbval runs them.
SAMPLED = "06_full_generation"
ITS_CELLS = ("import cogkit", "pipe = cogkit.load(", "SamplingExplorer(")
VERSION = 'import ipywidgets\nassert ipywidgets.__version__.startswith("{}.")'
# Its own settings, so that nothing depends on what this user did in JupyterLab before: every cell is in the page, also
# those out of sight, and nobody is asked about news.
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
PROMPTS = "() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(e => e.innerText)"
LONG = 300_000  # milliseconds
# The one thing that ipywidgets 7.7 may say: beside formulas it asks for MathJax 2, and JupyterLab 4 has MathJax 3.
MATHJAX = "Cannot read properties of undefined (reading 'Queue')"


class Lab(NamedTuple):
    address: str
    token: str
    folder: Path
    server: int

    def memory(self) -> int:
        """Bytes that the kernel holds; there is one at a time."""
        below = psutil.Process(self.server).children(recursive=True)
        return max(one.memory_info().rss for one in below if "ipykernel_launcher" in " ".join(one.cmdline()))


def bare(path, widgets):
    """The notebook without what is stored, so that whatever is seen was made here, and what no explorer needs."""
    book = nbformat.read(path, 4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    if path.stem == SAMPLED:
        needed = [cell for cell in code if any(part in cell.source for part in ITS_CELLS)]
        book.cells = [nbformat.v4.new_code_cell(VERSION.format(widgets)), *needed]
    else:
        last = max(k for k, cell in enumerate(book.cells) if cell in code and "explorer" in cell.source.lower())
        book.cells = book.cells[: last + 1]  # what follows the last explorer is run by nbval
    return book


@pytest.fixture(scope="module", params=WIDGETS, ids=lambda version: f"ipywidgets {version}")
def lab(request, tmp_path_factory):
    folder, home, token = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("home"), secrets.token_hex(16)
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        nbformat.write(bare(path, request.param), folder / path.name)
    shutil.copy(ROOT / "notebooks" / "04_joint_attention.ipynb", folder / "stored.ipynb")  # nobody here has signed it
    for name, setting in SETTINGS.items():
        file = home / "lab" / "user-settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(setting))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = f"lab --no-browser --allow-root --ip=127.0.0.1 --port={port} --IdentityProvider.token={token}".split()
    settings = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "JUPYTER_CONFIG_DIR": str(home)}
    if beside := WIDGETS[request.param]:
        settings |= {"PYTHONPATH": f"{beside}:{ROOT}", "JUPYTER_PATH": str(beside / "share" / "jupyter")}
    with (home / "lab.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", *words], cwd=folder, env=settings, stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api?token={token}")
                break
            except OSError:
                time.sleep(0.5)
        yield Lab(address, token, folder, server.pid)
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright  # here, as plain `make test` meets this file without it

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "there is no chromium: apt-get install chromium"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, lab, request):
    """opened(name) runs a notebook. Behind the test its kernel is shut down, and the console was silent."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    errors = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))

    def open_and_run(name):
        page.goto(f"{lab.address}/doc/tree/{name}.ipynb?token={lab.token}&reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        # Cells that are run before there is a kernel are only emptied.
        page.get_by_text("| Idle").wait_for(timeout=LONG)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.wait_for_function(f"() => ({PROMPTS})().every(text => /\\d/.test(text))", timeout=LONG)
        assert not page.locator(
            "[data-mime-type='application/vnd.jupyter.stderr'], .jp-RenderedText[data-mime-type*=error]"
        ).count()
        return page

    yield open_and_run
    page.screenshot(path=SHOTS / "last.png")
    said = set(errors)  # what widgets say when their kernel is taken away does not count
    for kernel in page.request.get(f"{lab.address}/api/kernels?token={lab.token}").json():
        page.request.delete(f"{lab.address}/api/kernels/{kernel['id']}?token={lab.token}")
    page.close()
    excused = {MATHJAX} if "ipywidgets 7.7" in request.node.name else set()
    assert said <= excused
