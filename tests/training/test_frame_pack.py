"""What a step is made of, with a VAE of random weights."""

from itertools import islice

import pytest
import torch

from cogkit.training import miscount
from cogkit.training.config import Config, Group, Scenes, Stage
from cogkit.training.frame_pack import FramePacks
from cogkit.training.vae import new_vae
from cogkit.world.scene import exchangeable, sample_scene

GROUPS = (Group(size=32, frames=1, clips=3), Group(size=32, frames=9, clips=2), Group(size=32, frames=17, clips=2))


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    torch.manual_seed(0)
    vae = new_vae(block_out_channels=[16, 16, 16, 16], layers_per_block=1, norm_num_groups=4)
    of = {
        "clips_32": Scenes(24, lies=True, two=0.9),
        "stills_32": Scenes(24, miscounts=True, two=0.9),
        "validation_scenes": 4,
    }
    stage = Stage(steps=9, groups=GROUPS, text_slots=(32, 40))
    return FramePacks(Config("transformer", (stage,), data=of), tmp_path_factory.mktemp("packs"), vae)


def batches(packs, steps=20):
    return [batch for step in range(steps) for batch in packs.pack(step)[1]]


def test_every_step_has_clips_of_all_durations_and_no_batch_mixes_them(packs):
    for slots, pack in map(packs.pack, range(5)):
        assert slots in (32, 40)
        shapes = [tuple(batch.noised.latents.shape) for batch in pack]
        assert shapes == [(3, 1, 16, 4, 4), (2, 3, 16, 4, 4), (2, 5, 16, 4, 4)]


def test_a_step_is_the_same_whenever_it_is_asked_for(packs):
    for one, other in zip(packs.pack(3)[1], packs.pack(3)[1], strict=True):
        assert one.prompts == other.prompts and torch.equal(one.t, other.t)
        assert torch.equal(one.noised.latents, other.noised.latents) and torch.equal(one.noised.v, other.noised.v)


def test_of_two_things_either_could_have_the_others_shape(packs):
    """Else knowing which pairs of colour and shape there are would do instead of reading the sentence."""
    thrown = [sample_scene(32_000_000 + k, two=0.9) for k in range(24)]
    assert not all(exchangeable(scene.things) for scene in thrown if len(scene.things) == 2), "or nothing is sorted out"
    for store in packs.shown.values():
        assert len(store.scenes) == 24
        assert all(exchangeable(scene.things) for scene in store.scenes if len(scene.things) == 2)


def test_whatever_a_clip_shows_the_answer_leads_to_the_scene_of_its_sentence(packs):
    for batch in batches(packs):
        alpha_bar = packs.alpha_bars.float()[batch.t].view(-1, 1, 1, 1, 1)
        x0 = alpha_bar.sqrt() * batch.noised.latents - (1 - alpha_bar).sqrt() * batch.noised.v
        of = 32, 1 if batch.frames == 1 else 17
        stores = [store for store in (packs.shown[of], packs.lies.get(of)) if store]
        for scene, clip in zip(batch.scenes, x0, strict=True):
            store = next(store for store in stores if scene in store.scenes)
            at = torch.tensor([store.scenes.index(scene)])
            torch.testing.assert_close(clip[None], store.latents(at, batch.frames), atol=2e-2, rtol=0)


def test_half_of_the_stills_are_noised_from_a_mixture_with_their_miscounted_scene_and_no_other_clip_is(packs):
    mixed, left = [], []
    for step in range(80):
        batch = next(packs.pack(step)[1])
        miscounts, packs.miscounts = packs.miscounts, {}
        usual = next(packs.pack(step)[1])
        packs.miscounts = miscounts
        assert usual.prompts == batch.prompts and torch.equal(usual.t, batch.t)
        differs = (usual.noised.latents != batch.noised.latents).flatten(1).any(1)
        for scene, told, t, other in zip(batch.scenes, batch.named, batch.t, differs, strict=True):
            doubt = miscount.FROM <= t < miscount.UNTIL and len(told) == len(scene.things)
            (mixed if doubt else left).append(bool(other))
    assert sum(mixed) / len(mixed) == pytest.approx(miscount.SHARE, abs=0.15) and not any(left)


def test_half_of_the_sentences_tell_what_was_made_up_as_a_lie(packs):
    """Which of two scenes is the true one must not show in how it looks."""
    told = [scene for batch in batches(packs, 60) if batch.frames > 1 for scene in batch.scenes]
    assert sum(scene in packs.lies[32, 17].scenes for scene in told) / len(told) == pytest.approx(0.5, abs=0.1)


def test_validation_shows_held_out_pairs_with_the_same_noise_every_time(packs):
    (first,), (again,) = islice(packs.held_out(), 1), islice(packs.held_out(), 1)
    assert torch.equal(first.noised.latents, again.noised.latents) and first.frames == 17 and len(first.scenes) == 4
