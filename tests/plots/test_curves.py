"""Training curves: every loss, every score, in the one style."""

import json

import pytest
from matplotlib.colors import to_hex

from cogkit.plots.curves import training_curves
from cogkit.plots.figure import COLOURS

NOTES = [
    {"step": k, "seconds": 60 * k, "loss": 1 / k} | ({"psnr_real": 20 + k} if k % 5 == 0 else {}) for k in range(1, 31)
]


@pytest.fixture
def notes(tmp_path):
    (tmp_path / "vae.jsonl").write_text("".join(json.dumps(note) + "\n" for note in NOTES))
    return tmp_path / "vae.jsonl"


def test_the_curves_show_every_loss_and_every_validated_score(notes):
    loss, score = training_curves([notes]).axes
    assert loss.get_title("left") == "vae: loss (30 min)"
    assert loss.lines[0].get_ydata().tolist() == [1 / k for k in range(1, 31)]
    assert score.lines[0].get_xdata().tolist() == [5, 10, 15, 20, 25, 30] and score.get_ylabel() == "PSNR, dB"
    assert score.get_xlim() == loss.get_xlim()  # a single score says when it was measured


def test_the_curves_have_the_colours_of_all_pictures_a_sentence_and_a_table(notes):
    figure = training_curves([notes])
    assert [to_hex(axes.lines[-1].get_color()).upper() for axes in figure.axes] == [COLOURS[0]] * 2
    assert figure.alt == "vae, 30 steps in 30 min: the loss goes from 1 to 0.0333."
    assert "psnr real" in figure.table and "25" in figure.table and "50" in figure.table


def test_a_loss_that_is_a_logarithm_already_is_not_drawn_on_a_logarithmic_scale(notes):
    lines = [json.loads(line) for line in notes.read_text().splitlines()]
    assert training_curves([notes]).axes[0].get_yscale() == "log"
    notes.write_text("".join(json.dumps(line | {"loss": line["loss"] - 1}) + "\n" for line in lines))
    assert training_curves([notes]).axes[0].get_yscale() == "linear"
