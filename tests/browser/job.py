"""Notebooks in JupyterLab in Chromium, used with the keyboard alone. `make test-browser`; pictures are stored."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
AXE = ROOT / "outputs" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = ROOT / "outputs" / "browser"
NOTEBOOKS = sorted(p for p in (ROOT / "notebooks").glob("*.ipynb") if "Explorer" in p.read_text())
KEYS = {"slider": "ArrowRight", "combobox": "ArrowDown", "checkbox": "Space", "radio": "ArrowDown"}
# Controls beside an explorer's picture, in the order of Tab.
CONTROLS = ".jp-OutputArea .widget-vbox :is([role=slider], select, input[type=checkbox], input[type=radio])"
SHOWN = ".widget-vbox img, .widget-vbox [role=status]"
SEEN = f"() => [...document.querySelectorAll('{SHOWN}')].map(e => e.alt || e.innerText)"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder, token = tmp_path_factory.mktemp("lab"), secrets.token_hex(16)
    for path in NOTEBOOKS:
        shutil.copy(path, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = f"lab --no-browser --allow-root --ip=127.0.0.1 --port={port} --IdentityProvider.token={token}".split()
    settings = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (folder / "lab.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", *words], cwd=folder, env=settings, stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
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


def open_and_run(browser, lab, name):
    address, token = lab
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    errors = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}/doc/tree/{name}?token={token}")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_selector(CONTROLS, state="attached", timeout=300_000)
    page.wait_for_selector("[data-status=idle]", state="attached", timeout=300_000)
    return page, errors


def test_there_is_a_notebook_with_an_explorer():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_control_moved_by_keyboard_changes_a_picture_or_its_words(path, browser, lab):
    page, errors = open_and_run(browser, lab, path.name)
    for number in range(page.locator(CONTROLS).count()):
        control = page.locator(CONTROLS).nth(number)
        control.scroll_into_view_if_needed()
        control.focus()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        assert control.evaluate("e => e === document.activeElement"), f"control {number} is not reached by Tab"
        before = page.evaluate(SEEN)
        kind = control.evaluate("e => e.getAttribute('role') || e.type").replace("select-one", "combobox")
        page.keyboard.press(KEYS[kind])
        page.wait_for_function(f"before => JSON.stringify(({SEEN})()) !== JSON.stringify(before)", arg=before)
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SHOTS / f"{path.stem}-{number}.png")
    page.add_script_tag(path=AXE)
    found = page.evaluate("() => axe.run({include: [['.jp-OutputArea .widget-vbox']]})")["violations"]
    assert not [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in found]
    assert not errors
    page.close()
