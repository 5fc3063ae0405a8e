import numpy as np
import pytest

import cogkit
from cogkit.plots.figure import PlotError
from cogkit.plots.gates import adaln_gates


def test_gates_are_drawn_by_layer_from_noise_to_clean(run, numbers):
    picture = adaln_gates(run)
    first = picture.axes[0]
    assert first.get_title("left") == "attention, video"
    np.testing.assert_allclose(first.images[0].get_array(), [[0.6] * 4, [0.6] * 4, [1.2, 0.6, 0.6, 0.6]], rtol=1e-6)
    assert [label.get_text() for label in picture.axes[2].get_xticklabels()] == ["999", "749", "499", "249"]
    assert (
        picture.get_suptitle() == "Mean |gate| is 3 times as large for video as for text; largest in layer 2, attention"
    )
    assert "attention on video in layer 2, timestep 999" in picture.alt
    assert numbers(picture)[2] == ["attention", "video", "2", "1.2", "0.6", "0.5"]


def test_a_recorded_run_and_the_table_without_a_run_give_the_same_picture(tiny_pipe):
    pipe = tiny_pipe()
    with cogkit.record(pipe, cogkit.acts("blocks.*.adaln*.gate.*")) as rec:
        pipe(
            "a red circle",
            num_frames=9,
            height=32,
            width=32,
            num_inference_steps=2,
            max_sequence_length=16,
            output_type="latent",
        )
    recorded = adaln_gates(rec.run)
    computed = adaln_gates(cogkit.modulation_table(pipe, rec.run.notes["train_timestep"]))
    assert recorded.table == computed.table
    for a, b in zip(recorded.axes[:4], computed.axes[:4], strict=True):
        np.testing.assert_allclose(a.images[0].get_array(), b.images[0].get_array(), rtol=1e-5)


def test_a_gate_that_is_closed_has_no_ratio(run):
    for stream in ("video", "text"):
        run.datasets[f"adaln1.gate.{stream}"]["value"][:, :, 0] = 0
    assert adaln_gates(run).table.splitlines()[1].split()[-1] == "-"


def test_what_is_missing_is_named_with_the_selector_that_records_it(run):
    with pytest.raises(PlotError, match=r"no 'adaln1.shift.video'; record acts\('blocks.\*.adaln\*.shift.\*'\)"):
        adaln_gates(run, "shift")
    with pytest.raises(PlotError, match="part='gates' is unknown; there are shift, scale, gate"):
        adaln_gates(run, "gates")
