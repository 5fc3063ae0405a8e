"""Notebooks in JupyterLab in Chromium, used with the keyboard alone. `make test-browser`; pictures are stored."""

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

import nbformat
import pytest
from nbconvert.preprocessors import ClearOutputPreprocessor
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
AXE = ROOT / "outputs" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = ROOT / "outputs" / "browser"
# How many controls the explorers of a notebook have: one that is not shown would not be missed otherwise.
NOTEBOOKS = {
    "00_start_here": 1,
    "01_causal_compression": 8,
    "02_patchify_and_rope": 7,
    "03_expert_adaln": 4,
    "04_joint_attention": 2,
    "05_sampling": 3,
}
# ipywidgets, beside the rest of the environment: Colab still has 7.7, whose controls are other programs in the browser.
WIDGETS = {"8": None, "7.7": ROOT / "outputs" / "ipywidgets-7.7"}
# The sampling explorer alone, with a small video: what it shows is a run of its own.
SAMPLING = """import cogkit, ipywidgets
assert ipywidgets.__version__.startswith("{widgets}.")
settings = cogkit.Settings("a red circle moving right on a gray background", steps=4, frames=9, height=64, width=64)
cogkit.widgets.SamplingExplorer(cogkit.load("nano"), settings)"""
# Its own settings, so that nothing depends on what this user did in JupyterLab before: every cell is in the page, also
# those out of sight, and nobody is asked about news.
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
SLIDER = "[role=slider], .ui-slider-handle"
# Controls beside an explorer's picture, in the order of Tab.
CONTROLS = f".jp-OutputArea .widget-vbox :is({SLIDER}, select, input[type=checkbox], input[type=radio])"
PICTURES = "() => [...document.querySelectorAll('.widget-vbox img')].map(e => e.src)"
REFUSED = ".widget-vbox [role=alert]"
SAID = ".widget-vbox :is(img, [role=status], [role=alert])"
WORDS = f"() => [...document.querySelectorAll('{SAID}')].map(e => e.alt || e.innerText)"
PROMPTS = "() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(e => e.innerText)"
LONG = 300_000  # milliseconds
TOOLBAR = 8  # buttons of a cell, at the most
# The one thing that axe may find. ipywidgets gives the handle of a slider no name and has no way to set one
# (https://github.com/jupyter-widgets/ipywidgets/issues/2650, open); its label stands beside it, for eyes only.
NAMELESS = ("aria-input-field-name", "noUi-handle")
# The one thing that ipywidgets 7.7 may say: beside formulas it asks for MathJax 2, and JupyterLab 4 has MathJax 3.
MATHJAX = "Cannot read properties of undefined (reading 'Queue')"


@pytest.fixture(scope="module", params=WIDGETS, ids=lambda version: f"ipywidgets {version}")
def lab(request, tmp_path_factory):
    folder, home, token = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("home"), secrets.token_hex(16)
    for name in NOTEBOOKS:  # without what is stored, so that whatever is seen was made here
        stored = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)
        bare, _ = ClearOutputPreprocessor().preprocess(stored, {})
        code = [
            k for k, cell in enumerate(bare.cells) if cell.cell_type == "code" and "explorer" in cell.source.lower()
        ]
        bare.cells = bare.cells[: code[-1] + 1]  # what follows the last explorer is run by nbval
        nbformat.write(bare, folder / f"{name}.ipynb")
    shutil.copy(ROOT / "notebooks" / "04_joint_attention.ipynb", folder / "stored.ipynb")  # nobody here has signed it
    alone = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SAMPLING.format(widgets=request.param))])
    alone.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}  # without it, JupyterLab asks
    nbformat.write(alone, folder / "sampling.ipynb")
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
        yield address, token
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def browser():
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "there is no chromium: apt-get install chromium"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, lab, request):
    """opened(name) runs a notebook. Behind the test its kernel is shut down, and the console was silent."""
    address, token = lab
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    errors = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))

    def open_and_run(name):
        page.goto(f"{address}/doc/tree/{name}.ipynb?token={token}&reset")
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
    for kernel in page.request.get(f"{address}/api/kernels?token={token}").json():
        page.request.delete(f"{address}/api/kernels/{kernel['id']}?token={token}")
    page.close()
    excused = {MATHJAX} if "ipywidgets 7.7" in request.node.name else set()
    assert set(errors) <= excused


def shot(page, name):
    page.screenshot(path=SHOTS / f"{name}.png")


def reach(page, control):
    """By Tab, from what comes before it. The cell's toolbar comes up in between whenever JupyterLab is ready."""
    control.scroll_into_view_if_needed()
    control.focus()
    page.keyboard.press("Shift+Tab")
    for _ in range(1 + TOOLBAR):
        page.keyboard.press("Tab")
        if control.evaluate("e => e === document.activeElement"):
            return
    raise AssertionError("it is not reached by Tab")


def move(page, control, back=False):
    """One step on, or back, as from the end. JupyterLab takes arrows on a closed list for itself, so it is opened."""
    kind = control.evaluate("e => e.getAttribute('role') || e.type || 'slider'")
    last = """e => e.options ? e.selectedIndex === e.length - 1
        : e.ariaValueNow ? e.ariaValueNow === e.ariaValueMax : e.style.left === '100%'"""
    back = back or control.evaluate(last)
    keys = {
        "slider": ["ArrowLeft" if back else "ArrowRight"],
        "select-one": ["Space", "ArrowUp" if back else "ArrowDown", "Enter"],
        "checkbox": ["Space"],
        "radio": ["ArrowDown"],
    }
    for key in keys[kind]:
        page.keyboard.press(key)


def changes(page, seen, before):
    page.wait_for_function(f"before => JSON.stringify(({seen})()) !== JSON.stringify(before)", arg=before, timeout=LONG)


def found_by_axe(page):
    page.add_script_tag(path=AXE)
    rules = page.evaluate("() => axe.run({include: [['.jp-OutputArea .widget-vbox']]})")["violations"]
    found = [(rule["id"], node["html"][:200]) for rule in rules for node in rule["nodes"]]
    return [(rule, node) for rule, node in found if not (rule == NAMELESS[0] and NAMELESS[1] in node)]


def test_every_notebook_with_explorers_is_opened():
    stored = {path.stem for path in (ROOT / "notebooks").glob("0[0-5]*.ipynb") if "Explorer(" in path.read_text()}
    assert stored == set(NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_control_moved_by_keyboard_changes_a_picture_and_its_words(name, opened):
    page = opened(name)
    page.wait_for_function(f"() => document.querySelectorAll('{CONTROLS}').length === {NOTEBOOKS[name]}", timeout=LONG)
    for number in range(NOTEBOOKS[name]):
        control = page.locator(CONTROLS).nth(number)
        pictures, words = page.evaluate(PICTURES), page.evaluate(WORDS)
        reach(page, control)
        move(page, control)
        changes(page, PICTURES, pictures)
        changes(page, WORDS, words)
        shot(page, f"{name}-{number}")
        if page.locator(REFUSED).count():
            move(page, control, back=True)
            page.wait_for_selector(REFUSED, state="detached", timeout=LONG)
    assert not found_by_axe(page)


def test_a_notebook_that_is_not_trusted_shows_its_stored_pictures(browser, lab):
    address, token = lab
    page = browser.new_page()
    page.goto(f"{address}/doc/tree/stored.ipynb?token={token}&reset")
    page.wait_for_selector(".jp-Notebook .jp-OutputArea img", timeout=LONG)
    assert not page.locator(".jp-OutputArea-output.jp-mod-trusted").count()
    widths = page.evaluate("() => [...document.querySelectorAll('.jp-OutputArea img')].map(e => e.naturalWidth)")
    assert len(widths) > 5 and all(widths)
    page.screenshot(path=SHOTS / "untrusted.png")
    page.close()


def test_sampling_explorer_generates_stops_scrubs_and_compares_by_keyboard_alone(opened):
    page = opened("sampling")
    shot(page, "sampling-0-form")
    press(page, "Generate")
    said(page, "Done.")
    assert page.locator(".widget-vbox video").evaluate("e => e.duration") > 0
    shot(page, "sampling-1-made")
    for view in ("latents and x0", "words", "heads", "modulation"):
        if view != "latents and x0":  # it begins there
            look_at(page, view)
        for number in range(page.locator(SCRUBBED).count()):
            words = page.evaluate(WORDS)
            reach(page, page.locator(SCRUBBED).nth(number))
            move(page, page.locator(SCRUBBED).nth(number))
            changes(page, WORDS, words)
        shot(page, f"sampling-2-{view.split()[0]}")

    press(page, "Pin this run")
    said(page, "Pinned.")
    write(page, "steps", "500")
    press(page, "Generate")
    said(page, "of 500, about")
    press(page, "Stop")
    said(page, "Stopped after step")
    shot(page, "sampling-3-stopped")

    write(page, "steps", "4")
    write(page, "prompt", "a blue square moving left on a gray background")
    press(page, "Generate")
    said(page, "Done.")
    look_at(page, "compared with the pinned run")
    page.get_by_text("Changed: prompt").wait_for(timeout=LONG)
    shot(page, "sampling-4-compared")
    write(page, "frames", "10")
    press(page, "Generate")
    page.wait_for_selector(REFUSED, timeout=LONG)
    shot(page, "sampling-5-refused")
    assert not found_by_axe(page)


SCRUBBED = f".widget-vbox .widget-vbox .widget-vbox :is({SLIDER}, select):visible"


def press(page, name):
    """A button, once it can be pressed."""
    button = page.get_by_role("button", name=name, exact=True, disabled=False)
    button.wait_for(timeout=LONG)
    reach(page, button)
    page.keyboard.press("Enter")


def look_at(page, view):
    words = page.evaluate(WORDS)
    press(page, view)
    changes(page, WORDS, words)


def write(page, label, text):
    control = page.get_by_label(label, exact=True)
    reach(page, control)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
    page.keyboard.press("Tab")


def said(page, text):
    page.locator("[role=status]").get_by_text(text).first.wait_for(timeout=LONG)
