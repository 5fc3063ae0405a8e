import torch

from cogkit.lessons.patchify_and_rope import positions_at
from cogkit.transformer.rope import positions, rotary_table


def test_the_transformer_gets_other_positions_within_the_block_and_its_own_again_after_it(tiny_pipe, monkeypatch):
    pipe, seen = tiny_pipe(), []
    own, (t, y, x) = pipe.transformer.forward, positions((2, 4, 4), None)
    recorder = lambda *args, **given: seen.append(given["image_rotary_emb"]) or own(*args, **given)  # noqa: E731
    monkeypatch.setattr(pipe.transformer, "forward", recorder)
    size = dict(num_frames=5, height=64, width=64, num_inference_steps=1, max_sequence_length=16, output_type="latent")
    with positions_at(pipe, [t, y + 5, x]):
        pipe("a star", **size)
    pipe("a star", **size)
    elsewhere, usual = (rotary_table([t, rows, x], 16) for rows in (y + 5, y))
    assert torch.equal(seen[0][0], elsewhere[0]) and torch.equal(seen[0][1], elsewhere[1])
    assert torch.allclose(seen[1][0], usual[0], atol=1e-6) and not torch.equal(seen[1][0], elsewhere[0])
