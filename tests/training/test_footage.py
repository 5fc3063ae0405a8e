import torch

from cogkit.training.footage import Footage
from cogkit.training.vae import CLIPS, HELD_OUT_CLIP, training_clips


def test_a_batch_depends_on_the_seed_and_the_step_only():
    one, two = Footage(training_clips(), seed=1), Footage(training_clips(), seed=1)
    one.batch(0, 2, 9, 64)  # looking at another batch before makes no difference
    assert torch.equal(one.batch(5, 3, 9, 64), two.batch(5, 3, 9, 64))
    assert not torch.equal(one.batch(5, 3, 9, 64), one.batch(6, 3, 9, 64))


def test_the_held_out_clip_exists_and_is_never_trained_on():
    assert (CLIPS / HELD_OUT_CLIP).exists()
    assert HELD_OUT_CLIP not in {path.name for path in training_clips()} and len(training_clips()) >= 2


def test_without_real_clips_there_are_only_shapes():
    assert Footage([], seed=0).batch(0, 4, 17, 32).shape == (4, 3, 17, 32, 32)


def test_the_share_of_film_is_as_asked(monkeypatch):
    footage, drawn = Footage(training_clips(), seed=0), []
    shapes = footage._shapes
    monkeypatch.setattr(footage, "_shapes", lambda *args: drawn.append(args) or shapes(*args))
    for film, wanted in ((0.0, 40), (1.0, 0)):
        drawn.clear()
        footage.batch(0, 40, 1, 16, film)
        assert len(drawn) == wanted
    drawn.clear()
    footage.batch(0, 200, 1, 16, 0.15)
    assert 160 <= len(drawn) <= 180
