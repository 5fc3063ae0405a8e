import numpy as np
import pytest
import torch
from einops import rearrange

from cogkit.training.alignment import CELLS, NAMED, OUTLINE, Overhear, alignment_head, alignment_loss, what_is_where
from cogkit.training.transformer import new_transformer, rotary_embedding
from cogkit.world.render import render
from cogkit.world.scene import Scene, sample_scene
from cogkit.world.vocabulary import COLOURS, MOTIONS, SHAPES


@pytest.mark.parametrize("seed", range(4))
def test_the_truth_about_a_still_is_its_mask_pooled(seed):
    scene = sample_scene(seed, things=1)
    truth = what_is_where(scene, (), 128, 1)
    cells = rearrange(truth[:, :OUTLINE], "(h w) (s i j) -> s (h i) (w j)", h=8, s=len(SHAPES), i=CELLS)
    mask = rearrange(render(scene, 1, 128).masks[0, 0].astype(float), "(h i) (w j) -> h w (i j)", i=4, j=4).mean(-1)
    shown = SHAPES.index(scene.things[0].shape)
    assert np.abs(cells[shown] - mask).mean() < 0.01 and np.abs(cells[shown] - mask).max() < 0.5
    assert not np.delete(cells, shown, axis=0).any()


def test_colour_and_motion_cover_what_the_shape_covers():
    scene = sample_scene(5, things=2)
    truth = what_is_where(scene, (), 64, 17)
    outline, colours, motions, _ = np.split(truth, [OUTLINE, OUTLINE + len(COLOURS), -NAMED], axis=1)
    share = outline.sum(1) / CELLS**2
    np.testing.assert_allclose(colours.sum(1), share, atol=1e-5)
    np.testing.assert_allclose(motions.sum(1), share, atol=1e-5)
    for thing in scene.things:
        assert colours[:, list(COLOURS).index(thing.colour)].any()
        assert motions[:, list(MOTIONS).index(thing.motion)].any()


def test_the_order_of_the_sentence_says_which_thing_is_the_first():
    scene = sample_scene(5, things=2)
    one, other = scene.things
    as_asked, turned = (what_is_where(scene, named, 64, 17)[:, -NAMED:] for named in ((one, other), (other, one)))
    np.testing.assert_array_equal(as_asked, turned[:, ::-1])
    own = what_is_where(Scene((one,), scene.background), (one,), 64, 17)
    np.testing.assert_array_equal(as_asked[:, 0], own[:, -NAMED])
    assert as_asked.any() and not what_is_where(scene, (), 64, 17)[:, -NAMED:].any(), "an empty sentence names nothing"


def test_the_truth_moves_with_the_thing():
    scene = next(s for k in range(100) if (s := sample_scene(k, things=1)).things[0].motion == "right")
    share = what_is_where(scene, (), 128, 17)[:, :OUTLINE].sum(1).reshape(5, 8, 8)
    columns = (share.sum(1) @ np.arange(8)) / share.sum((1, 2))
    assert (np.diff(columns)[1:] > 0.5).all(), "four frames of 0.2 sides a second are 0.8 patches"


def test_the_lesson_reaches_the_blocks_before_it_and_no_other():
    torch.manual_seed(0)
    transformer = new_transformer(num_layers=2, num_attention_heads=1, time_embed_dim=16)
    halfway = Overhear()
    transformer.transformer_blocks[0].register_forward_hook(halfway)
    x, text = torch.randn(1, 1, 16, 4, 4), torch.randn(1, 8, 128)
    transformer(x, text, torch.tensor([500]), image_rotary_emb=rotary_embedding(transformer.config, 32, 1))
    alignment_loss(alignment_head(64), halfway.tokens, [sample_scene(0)], [()], 32, 1).backward()
    first, second = transformer.transformer_blocks
    assert first.norm1.linear.weight.grad.abs().sum() > 0 and second.norm1.linear.weight.grad is None


def test_a_head_that_knows_the_truth_has_nothing_to_learn():
    scene = sample_scene(0)
    truth = torch.from_numpy(what_is_where(scene, scene.things, 64, 9))[None]
    assert alignment_loss(torch.nn.Identity(), truth, [scene], [scene.things], 64, 9) == 0
