import json

from cogkit.checkpoints import DATA
from cogkit.training.model_card import with_scores

NANO = DATA / "nano"


def test_the_numbers_of_the_card_are_the_measured_ones():
    text = (NANO / "README.md").read_text()
    assert with_scores(text, json.loads((NANO / "scores.json").read_text())) == text


def test_a_changed_score_changes_the_card():
    text, scores = (NANO / "README.md").read_text(), json.loads((NANO / "scores.json").read_text())
    scores["vae"]["shapes"] += 1
    assert with_scores(text, scores) != text
