import json

import matplotlib

matplotlib.use("agg")

from cogkit.plots.curves import training_curves


def test_the_curves_show_every_loss_and_every_validated_score(tmp_path):
    notes = [
        {"step": k, "seconds": 60 * k, "loss": 1 / k} | ({"psnr_real": 20 + k} if k % 5 == 0 else {})
        for k in range(1, 31)
    ]
    (tmp_path / "vae.jsonl").write_text("".join(json.dumps(note) + "\n" for note in notes))
    loss, score = training_curves([tmp_path / "vae.jsonl"]).axes
    assert loss.get_title() == "vae: loss (30 min)" and loss.lines[0].get_ydata().tolist() == [
        1 / k for k in range(1, 31)
    ]
    assert score.lines[0].get_xdata().tolist() == [5, 10, 15, 20, 25, 30] and score.get_ylabel() == "PSNR, dB"
