"""Every explorer in JupyterLab in Chromium, with the keyboard alone and with the mouse. Pictures of it are stored.

`make test-browser`. JupyterLab and Chromium are started by conftest.py.
"""

import json
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

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
SAMPLED = "06_full_generation"  # its explorer is the one with a prompt: it has tests of its own
SLIDER = "[role=slider], .ui-slider-handle"
TICKED = "input[type=checkbox], input[type=radio]"
# Controls beside an explorer's picture, in the order of Tab.
CONTROLS = f".jp-OutputArea .widget-vbox :is({SLIDER}, select, {TICKED})"
SCRUBBED = f".widget-vbox .widget-vbox .widget-vbox :is({SLIDER}, select):visible"
PICTURES = "() => [...document.querySelectorAll('.widget-vbox img')].map(e => e.src)"
REFUSED = ".widget-vbox [role=alert]"
SAID = ".widget-vbox :is(img, [role=status], [role=alert])"
WORDS = f"() => [...document.querySelectorAll('{SAID}')].map(e => e.alt || e.innerText)"
LONG = 300_000  # milliseconds
SOON = 10  # seconds that Stop may take: a step is a fraction of one
LITTLE = 50e6  # bytes: what is kept of a thousand steps is a few megabytes
TOOLBAR = 8  # buttons of a cell, at the most
# The one thing that axe may find. ipywidgets gives the handle of a slider no name and has no way to set one
# (https://github.com/jupyter-widgets/ipywidgets/issues/2650, open); its label stands beside it, for eyes only.
NAMELESS = ("aria-input-field-name", "noUi-handle")
# Every setting of the form: its label, what is typed or how far down the list to go, and what the code then says. The
# first four make the rest quick.
FORM = {
    "steps": ("4", "steps=4"),
    "frames": ("9", "frames=9"),
    "height": ("64", "height=64"),
    "width": ("80", "width=80"),
    "negative prompt": ("a green star", "negative_prompt='a green star'"),
    "seed": ("7", "seed=7"),
    "initial noise": (1, "noise='mirrored'"),
    "sampler": (2, "sampler='dpm'"),
    "guidance": ("3.5", "guidance=3.5"),
    "dynamic guidance": (1, "dynamic_guidance='as released'"),
    "prompt": ("a blue square moving left on a gray background", "'a blue square moving left on a gray background'"),
}


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


def move(page, control, back=False, opened=False):
    """One step on, or back, as from the end. JupyterLab takes arrows on a closed list for itself, so it is opened."""
    kind = control.evaluate("e => e.getAttribute('role') || e.type || 'slider'")
    last = """e => e.options ? e.selectedIndex === e.length - 1
        : e.ariaValueNow ? e.ariaValueNow === e.ariaValueMax : e.style.left === '100%'"""
    back = back or control.evaluate(last)
    keys = {
        "slider": ["ArrowLeft" if back else "ArrowRight"],
        "select-one": ["Space"] * (not opened) + ["ArrowUp" if back else "ArrowDown", "Enter"],
        "checkbox": ["Space"],
        "radio": ["ArrowDown"],
    }
    for key in keys[kind]:
        page.keyboard.press(key)


def drag(page, handle):
    """With the mouse, along the track nearly to its farther end: also with three stops it cannot stay where it was."""
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    track = handle.evaluate("e => e.closest('.noUi-target, .ui-slider').getBoundingClientRect().toJSON()")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    goal = track["x"] + track["width"] * (0.95 if x < track["x"] + track["width"] / 2 else 0.05)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(goal, y, steps=5)
    page.mouse.up()


def pick(page, control):
    """The list is opened with the mouse. Chromium draws it outside of the page, where only keys reach it."""
    control.click()
    move(page, control, opened=True)


def button(page, name):
    """Once it can be pressed."""
    found = page.get_by_role("button", name=name, exact=True, disabled=False)
    found.wait_for(timeout=LONG)
    return found


def press(page, name, times=1):
    reach(page, button(page, name))
    for _ in range(times):
        page.keyboard.press("Enter")


def write(page, label, text, mouse=False):
    control = page.get_by_label(label, exact=True)
    if mouse:
        control.click()
    else:
        reach(page, control)
    for key in ("Control+A", "Delete"):
        page.keyboard.press(key)
    page.keyboard.type(text)
    page.keyboard.press("Tab")


def changes(page, seen, before):
    page.wait_for_function(f"before => JSON.stringify(({seen})()) !== JSON.stringify(before)", arg=before, timeout=LONG)


def look_at(page, view):
    """By its first letter, which no other view has."""
    control, words = page.get_by_label("look at", exact=True), page.evaluate(WORDS)
    reach(page, control)
    for key in ("Space", view[0], "Enter"):
        page.keyboard.press(key)
    changes(page, WORDS, words)
    expect(control.locator("option:checked")).to_have_text(view)


def said(page, text):
    page.locator("[role=status]").get_by_text(text).first.wait_for(timeout=LONG)


def code(page):
    return page.get_by_label("copy as code", exact=True)


def shown(page):
    """The pictures, and the code that makes them again."""
    return page.evaluate(PICTURES), code(page).input_value()


def made_anew(page, before, says):
    """A run has ended: every picture is another, and the code says what was changed."""
    expect(code(page)).to_have_value(re.compile(re.escape(says)), timeout=LONG)
    said(page, "Done.")
    pictures, _ = shown(page)
    assert len(pictures) == 2 and not set(pictures) & set(before[0])


def nothing_runs(page):
    """Generate can be pressed, Stop cannot, and a second later that is still so."""
    button(page, "Generate")
    time.sleep(1)
    assert page.get_by_role("button", name="Generate", exact=True).is_enabled()
    assert page.get_by_role("button", name="Stop", exact=True).is_disabled()


def stopped_since(page, moment):
    said(page, "Stopped after step")
    assert time.monotonic() - moment < SOON
    nothing_runs(page)


def found_by_axe(page):
    page.add_script_tag(path=AXE)
    rules = page.evaluate("() => axe.run({include: [['.jp-OutputArea .widget-vbox']]})")["violations"]
    found = [(rule["id"], node["html"][:200]) for rule in rules for node in rule["nodes"]]
    return [(rule, node) for rule, node in found if not (rule == NAMELESS[0] and NAMELESS[1] in node)]


def test_every_notebook_with_explorers_is_opened():
    stored = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb") if "Explorer(" in path.read_text()}
    assert stored == {*NOTEBOOKS, SAMPLED}


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

    for kind, use in ((SLIDER, drag), ("select", pick)):  # and one of each kind with the mouse
        if page.locator(f".jp-OutputArea .widget-vbox :is({kind})").count():
            pictures, words = page.evaluate(PICTURES), page.evaluate(WORDS)
            use(page, page.locator(f".jp-OutputArea .widget-vbox :is({kind})").first)
            changes(page, PICTURES, pictures)
            changes(page, WORDS, words)
    shot(page, f"{name}-mouse")


def test_a_notebook_that_is_not_trusted_shows_its_stored_pictures(browser, lab):
    page = browser.new_page()
    page.goto(f"{lab.address}/doc/tree/stored.ipynb?token={lab.token}&reset")
    page.wait_for_selector(".jp-Notebook .jp-OutputArea img", timeout=LONG)
    assert not page.locator(".jp-OutputArea-output.jp-mod-trusted").count()
    widths = page.evaluate("() => [...document.querySelectorAll('.jp-OutputArea img')].map(e => e.naturalWidth)")
    assert len(widths) > 5 and all(widths)
    page.screenshot(path=SHOTS / "untrusted.png")
    page.close()


def test_sampling_explorer_does_all_that_it_can_by_keyboard_alone(opened, lab):
    page = opened(SAMPLED)
    shot(page, "sampling-0-form")
    press(page, "Generate")  # as it stands in the notebook
    said(page, "Done.")
    assert page.locator(".widget-vbox video").evaluate("e => e.duration") > 0
    shot(page, "sampling-1-made")
    for label, (what, says) in FORM.items():
        before, control = shown(page), page.get_by_label(label, exact=True)
        assert says not in before[1], label
        if isinstance(what, str):
            write(page, label, what)
        for _ in range(0 if isinstance(what, str) else what):
            reach(page, control)
            move(page, control)
        press(page, "Generate")
        made_anew(page, before, says)

    for view in ("latents and x0", "words", "heads", "modulation"):
        if view != "latents and x0":  # it begins there
            look_at(page, view)
        for number in range(1, page.locator(SCRUBBED).count()):  # behind the view's own list
            pictures, words = page.evaluate(PICTURES), page.evaluate(WORDS)
            reach(page, page.locator(SCRUBBED).nth(number))
            move(page, page.locator(SCRUBBED).nth(number))
            changes(page, PICTURES, pictures)
            changes(page, WORDS, words)
        shot(page, f"sampling-2-{view.split()[0]}")

    press(page, "Pin this run")
    said(page, "Pinned.")
    look_at(page, "words")  # not the modulation, which no seed changes
    before = shown(page)
    write(page, "seed", "8")
    press(page, "Generate", times=2)
    made_anew(page, before, "seed=8")
    nothing_runs(page)
    look_at(page, "compared with the pinned run")
    page.get_by_text("Changed: seed").wait_for(timeout=LONG)
    assert all(part in shown(page)[1] for part in ("pinned_settings", "seed=7", "seed=8"))
    film = page.locator(".widget-vbox video")  # one, so that both are at the same frame
    assert film.evaluate("e => e.videoWidth") == 2 * (80 + 8) and "the pinned run" in film.get_attribute("aria-label")
    shot(page, "sampling-3-compared")

    before = shown(page)
    write(page, "steps", "1000")
    press(page, "Generate")
    press(page, "Stop")  # at once
    stopped_since(page, time.monotonic())
    shot(page, "sampling-4-stopped")
    for label, text, sentence in (("prompt", "", "is empty; say what to show"), ("frames", "10", "frames=10")):
        write(page, label, text)
        press(page, "Generate")
        page.locator(REFUSED).get_by_text(sentence).wait_for(timeout=LONG)
        shot(page, f"sampling-5-{label}")
        write(page, "prompt", FORM["prompt"][0])
    assert shown(page) == before

    write(page, "save in folder", "kept")
    press(page, "Save this run")
    said(page, "Saved: open kept")
    assert (lab.folder / "kept" / "index.html").exists()
    assert json.loads((lab.folder / "kept" / "settings.json").read_text())["seed"] == 8
    assert not found_by_axe(page)


def test_sampling_explorer_by_mouse_stops_a_thousand_steps_that_take_little_memory(opened, lab):
    page = opened(SAMPLED)
    for label, text in (("frames", "9"), ("height", "64"), ("width", "64"), ("steps", "1000")):
        write(page, label, text, mouse=True)
    button(page, "Generate").click()
    button(page, "Stop").click()  # at once
    stopped_since(page, time.monotonic())
    before = lab.memory()
    button(page, "Generate").dblclick()
    said(page, re.compile("Step [1-9][0-9][0-9] of 1000"))
    button(page, "Stop").click()
    stopped_since(page, time.monotonic())
    assert lab.memory() - before < LITTLE

    write(page, "steps", "4", mouse=True)
    button(page, "Generate").click()
    said(page, "Done.")
    button(page, "Pin this run").click()
    said(page, "Pinned.")
    sliders, lists = (page.locator(SCRUBBED).and_(page.locator(kind)) for kind in (SLIDER, "select"))
    for use, control in ((drag, sliders.first), (pick, lists.first), (pick, lists.nth(1))):  # step, view, word
        pictures, words = page.evaluate(PICTURES), page.evaluate(WORDS)
        use(page, control)
        changes(page, PICTURES, pictures)
        changes(page, WORDS, words)
    shot(page, "sampling-6-mouse")
    assert not page.locator(f".widget-vbox :is({TICKED})").count()  # or it would have to be clicked here, too
