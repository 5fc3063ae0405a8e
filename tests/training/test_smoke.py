"""Both parts trained from nothing for a moment, exported, and run by stock diffusers. Slow: more than a minute."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from diffusers import CogVideoXPipeline

from cogkit.__main__ import RECIPES, main
from cogkit.checkpoints import DATA, load
from cogkit.training.config import read_config
from cogkit.training.export import trained_vae
from cogkit.training.latent_store import fingerprint
from cogkit.training.loop import averaged_weights
from cogkit.training.loop import train as train_loop
from cogkit.training.text import new_text_encoder, new_tokenizer
from cogkit.training.text_task import TextTask
from cogkit.training.transformer import TransformerTask
from cogkit.training.vae import VAETask


def train(part, folder, *more):
    assert main(["train", part, "--config", str(RECIPES / f"smoke-{part}.toml"), "--folder", str(folder), *more]) == 0
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def tiny(runs):
    """The pipeline folder that the two runs make."""
    folder = runs[0]
    paths = {"--vae": folder / "vae", "--transformer": folder / "transformer", "--out": folder / "tiny"}
    assert main(["export", *(str(word) for pair in paths.items() for word in pair)]) == 0
    return folder / "tiny"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    vae = train("vae", folder / "vae")
    text = train("text", folder / "text")
    of = ("--vae", str(folder / "vae"), "--text", str(folder / "text"))
    return folder, vae, train("transformer", folder / "transformer", *of), text


def test_the_loss_of_the_vae_falls(runs):
    losses = [note["loss"] for note in runs[1]]
    assert sum(losses[-10:]) < 0.85 * sum(losses[:10]), losses


def test_the_loss_of_the_transformer_falls_on_scenes_it_never_saw(runs):
    """With the same noise every time: the loss of a step depends more on the noise drawn than on the step."""
    losses = [note["unseen_32"] for note in runs[2] if "unseen_32" in note]
    assert losses[-1] < 0.95 * losses[0], losses


def test_the_second_lesson_is_learnt(runs):
    errors = [note["alignment"] for note in runs[2]]
    assert sum(errors[-10:]) < 0.1 * sum(errors[:10]), errors


def test_the_loss_of_the_text_encoder_falls(runs):
    losses = [note["binding"] for note in runs[3]]
    assert sum(losses[-10:]) < 0.95 * sum(losses[:10]), losses


def test_a_text_encoder_that_was_trained_before_is_left_as_it_is(runs):
    before, after = (averaged_weights(runs[0] / part) for part in ("text", "transformer"))
    names = [name for name in before if name.startswith("text_encoder.")]
    assert names and all(torch.equal(before[name], after[name]) for name in names)


@pytest.fixture
def recipe(tmp_path):
    """Of a transformer run of three steps."""
    path = tmp_path / "short.toml"
    path.write_text((RECIPES / "smoke-transformer.toml").read_text().replace("steps = 160", "steps = 3"))
    return path


def test_the_text_encoder_of_a_pipeline_is_left_as_it_is_and_keeps_its_words(runs, recipe, tmp_path):
    of = ("--config", str(recipe), "--folder", str(tmp_path / "run"), "--vae", str(runs[0] / "vae"))
    assert main(["train", "transformer", *of, "--text", str(DATA / "nano")]) == 0
    out = tmp_path / "pipeline"
    made_of = ("--vae", str(runs[0] / "vae"), "--transformer", str(tmp_path / "run"), "--out", str(out))
    assert main(["export", *made_of]) == 0
    before, after = load("nano", torch.float32), load(out, torch.float32)
    assert after.tokenizer.get_vocab() == before.tokenizer.get_vocab() != new_tokenizer().get_vocab()
    weights = after.text_encoder.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in before.text_encoder.state_dict().items())
    assert (out / "text.toml").read_text() == (DATA / "nano" / "text.toml").read_text()


def test_without_one_the_text_encoder_is_trained_with_the_transformer(runs, recipe, tmp_path):
    of = ("--config", str(recipe), "--folder", str(tmp_path / "run"), "--vae", str(runs[0] / "vae"))
    assert main(["train", "transformer", *of]) == 0
    task = TransformerTask(read_config(recipe), tmp_path / "run", trained_vae(runs[0] / "vae"))
    fresh, trained = task.model.state_dict(), torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["model"]
    assert not torch.equal(fresh["text_encoder.shared.weight"], trained["text_encoder.shared.weight"])


def test_a_pipeline_that_does_not_say_how_its_text_encoder_was_trained_will_do(runs, tiny, recipe, tmp_path):
    silent = tmp_path / "silent"
    shutil.copytree(tiny, silent)
    (silent / "text.toml").unlink()
    of = ("--config", str(recipe), "--folder", str(tmp_path / "run"), "--vae", str(runs[0] / "vae"))
    assert main(["train", "transformer", *of, "--text", str(silent)]) == 0


def test_the_recipe_of_the_text_encoder_travels_with_the_pipeline(tiny):
    assert read_config(tiny / "text.toml").part == "text"


def test_a_finished_run_has_nothing_left_to_do(runs, capsys):
    folder, vae, *_ = runs
    assert train("vae", folder / "vae") == vae


def test_two_runs_make_a_pipeline_that_stock_diffusers_runs(tiny):
    pipe = CogVideoXPipeline.from_pretrained(tiny, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    clip = pipe("a red circle", num_frames=9, height=32, width=32, num_inference_steps=2, output_type="np").frames[0]
    assert clip.shape == (9, 32, 32, 3)


def test_exporting_without_a_run_says_what_is_missing(tmp_path, capsys):
    assert main(["export", "--vae", str(tmp_path), "--transformer", str(tmp_path), "--out", str(tmp_path / "x")]) == 2
    assert "holds no training run: checkpoint.pt is missing" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_run_that_is_none_of_the_text_encoder_is_refused_by_name(runs, tmp_path, capsys):
    for text, said in ((tmp_path, "holds no training run"), (runs[0] / "vae", "is a run of the vae; --text wants")):
        of = ("--vae", str(runs[0] / "vae"), "--text", str(text), "--folder", str(tmp_path / "run"))
        assert main(["train", "transformer", *of]) == 2
        assert said in capsys.readouterr().err


def test_a_pipeline_whose_text_encoder_is_of_another_size_is_refused(runs, tiny, recipe, tmp_path, capsys):
    wide = tmp_path / "wide"
    shutil.copytree(tiny, wide)
    new_text_encoder(97, layers=3).save_pretrained(wide / "text_encoder")
    of = ("--config", str(recipe), "--folder", str(tmp_path / "run"), "--vae", str(runs[0] / "vae"))
    assert main(["train", "transformer", *of, "--text", str(wide)]) == 2
    assert "has a text encoder of 3 layers, 128 wide; a run trains with one of 2 layers" in capsys.readouterr().err


def test_a_recipe_for_the_other_part_is_refused(tmp_path, capsys):
    shutil.copy(RECIPES / "smoke-vae.toml", tmp_path / "r.toml")
    assert main(["train", "transformer", "--config", str(tmp_path / "r.toml"), "--folder", str(tmp_path / "run")]) == 2
    assert "is a recipe for the vae" in capsys.readouterr().err


def test_training_can_go_on_from_a_pipeline_folder(runs, tiny, tmp_path):
    transformer = runs[2]
    recipe = tmp_path / "on.toml"
    text = (RECIPES / "smoke-transformer.toml").read_text()
    recipe.write_text(f'start = "{tiny}"\n' + text.replace("steps = 160", "steps = 1"))
    assert main(["train", "transformer", "--config", str(recipe), "--folder", str(tmp_path), "--vae", str(tiny)]) == 0
    again = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert again["unseen_32"] == pytest.approx(transformer[-1]["unseen_32"], rel=0.05)


def test_a_run_for_the_decoder_alone_leaves_all_latents_what_they_were(tiny, tmp_path):
    start, first, _ = (RECIPES / "smoke-vae.toml").read_text().split("[[stages]]")
    recipe = tmp_path / "decoder.toml"
    recipe.write_text(f'start = "{tiny}"\n{start}[[stages]]{first.replace("steps = 50", "steps = 1")}')
    assert main(["train", "vae", "--config", str(recipe), "--folder", str(tmp_path)]) == 0
    before, after = trained_vae(tiny), trained_vae(tmp_path)
    assert fingerprint(before) == fingerprint(after)
    assert not torch.equal(before.decoder.conv_out.conv.weight, after.decoder.conv_out.conv.weight)


@pytest.mark.parametrize("part", ["vae", "text", "transformer"])
def test_a_run_that_is_stopped_and_resumed_ends_in_the_same_weights(tiny, tmp_path, part):
    recipe = read_config(RECIPES / f"smoke-{part}.toml")
    stages = tuple(replace(stage, steps=3) for stage in recipe.stages[:2])
    config = replace(recipe, stages=stages, save_every=1, validate_every=100)

    def task(where):
        if part == "vae":
            return VAETask(config, fresh=not (where / "checkpoint.pt").exists())
        return TextTask(config) if part == "text" else TransformerTask(config, where, trained_vae(tiny))

    for _ in train_loop(task(tmp_path / "whole"), config, tmp_path / "whole"):
        pass
    for progress in train_loop(task(tmp_path / "parts"), config, tmp_path / "parts"):
        if progress.step == 2:
            break
    for _ in train_loop(task(tmp_path / "parts"), config, tmp_path / "parts"):
        pass
    whole, parts = (averaged_weights(tmp_path / name) for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
