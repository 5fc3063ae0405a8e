import pytest
import torch

import cogkit
from cogkit.localisation.noised import noise_levels, showing

LEVELS = (999, 599, 199)


@pytest.fixture(scope="module")
def shown(tiny_pipe):
    pipe = tiny_pipe()
    x0 = torch.randn(1, 3, 16, 4, 8, generator=torch.Generator().manual_seed(1))
    latents = noise_levels(pipe, x0, LEVELS, seed=0)
    return pipe, x0, latents


def test_the_model_is_shown_the_true_clip_at_every_level_whatever_it_says(shown):
    pipe, _, latents = shown
    with (
        showing(pipe, latents, LEVELS) as call,
        cogkit.record(pipe, cogkit.trajectory(), cogkit.maps("video->text")) as rec,
    ):
        call("a red circle")
    held = torch.from_numpy(rec.run["latents"].values)
    torch.testing.assert_close(held, torch.cat(latents))
    assert rec.run["latents"].train_timestep.values.tolist() == list(LEVELS)
    assert rec.run["video->text"].branch.values.tolist() == ["cond"]  # no guidance
    assert rec.run.word("circle").shape == (3, 2, 4)


def test_a_step_answers_what_the_model_answers_when_it_is_called_by_hand(shown):
    pipe, _, latents = shown
    with showing(pipe, latents, LEVELS) as call, cogkit.record(pipe, cogkit.trajectory(model_output=True)) as rec:
        call("a red circle")
    text, _ = pipe.encode_prompt("a red circle", do_classifier_free_guidance=False, max_sequence_length=16)
    turn = pipe._prepare_rotary_positional_embeddings(32, 64, 3, torch.device("cpu"))
    with torch.no_grad():
        v = pipe.transformer(latents[1], text, torch.tensor([599]), image_rotary_emb=turn).sample
    torch.testing.assert_close(torch.from_numpy(rec.run["model_output"].values[1]), v[0])


def test_at_level_999_only_noise_is_left_and_lower_levels_mix_the_same_noise_with_the_clip(shown):
    pipe, x0, (noise, *others) = shown
    for level, latents in zip(LEVELS[1:], others, strict=True):
        alpha_bar = float(pipe.scheduler.alphas_cumprod[level])
        torch.testing.assert_close(latents, alpha_bar**0.5 * x0 + (1 - alpha_bar) ** 0.5 * noise)
    assert abs(torch.corrcoef(torch.stack([noise.flatten(), x0.flatten()]))[0, 1]) < 0.1


def test_the_scheduler_is_put_back_whatever_happens(shown):
    pipe, _, latents = shown
    scheduler, config = pipe.scheduler, dict(pipe.config)
    with pytest.raises(ZeroDivisionError), showing(pipe, latents, LEVELS):
        raise ZeroDivisionError
    assert pipe.scheduler is scheduler and dict(pipe.config) == config
