import torch

from cogkit.recording.weights import fingerprint


def test_one_changed_number_makes_other_weights(tiny_pipe):
    pipe = tiny_pipe()
    before = fingerprint(pipe)
    assert before == fingerprint(tiny_pipe())
    with torch.no_grad():
        pipe.text_encoder.shared.weight[0, 0] += 1
    assert fingerprint(pipe) != before


def test_a_pipeline_without_a_vae_or_with_weights_elsewhere_has_a_fingerprint_too(tiny_pipe):
    pipe = tiny_pipe()
    whole = fingerprint(pipe)
    pipe.vae = None
    without = fingerprint(pipe)
    pipe.transformer.to("meta")
    assert len({whole, without, fingerprint(pipe)}) == 3
