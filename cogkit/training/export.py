"""Finished runs -> a pipeline folder that stock diffusers loads, with nothing of ours in it."""

import shutil
import tempfile
from pathlib import Path

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXPipeline
from torch import Tensor
from transformers import T5EncoderModel, T5Tokenizer

from cogkit.checkpoints import load
from cogkit.plots.curves import training_curves
from cogkit.training.config import Config, ConfigError, read_config
from cogkit.training.diffusion import new_scheduler
from cogkit.training.loop import averaged_weights
from cogkit.training.text import new_text_encoder, new_tokenizer
from cogkit.training.transformer import new_transformer
from cogkit.training.vae import new_vae, unseen_shapes, weigh_latents

CLIPS_FOR_SCALE = 16
STORAGE = torch.float16  # half the size; the rounding is far below the averaging of the weights


def trained_vae(folder: Path) -> AutoencoderKLCogVideoX:
    """The VAE of a pipeline folder, or the averaged one of a run; if that trained the encoder, its latents are weighed,
    over clips like its last ones. A run for the decoder alone leaves all latents what they were."""
    if (folder / "model_index.json").exists():
        return load(str(folder), torch.float32).vae.eval().requires_grad_(False)
    config = _config(folder)
    vae = new_vae(**config.model)
    vae.load_state_dict(averaged_weights(folder))
    vae.eval().requires_grad_(False)
    if any(stage.train_encoder for stage in config.stages):
        last = config.stages[-1].groups[0]
        weigh_latents(vae, unseen_shapes(CLIPS_FOR_SCALE, last.frames, last.size))
    return vae


def trained_text(folder: Path) -> tuple[T5Tokenizer, T5EncoderModel]:
    """The words and the text encoder of a pipeline folder, or the averaged one of a text run."""
    if (folder / "model_index.json").exists():
        pipe = load(str(folder), torch.float32)
        _check_size(folder, pipe.text_encoder)
        return pipe.tokenizer, pipe.text_encoder
    if (part := _config(folder).part) != "text":
        raise ConfigError(f"{folder} is a run of the {part}; --text wants a pipeline or a run of the text encoder")
    return _text(folder, averaged_weights(folder))


def export_pipeline(vae_run: Path, transformer_run: Path, out: Path) -> None:
    """Assemble and write the pipeline; an existing folder is replaced only once the new one is whole."""
    vae = trained_vae(vae_run)
    transformer, weights = new_transformer(**_config(transformer_run).model), averaged_weights(transformer_run)
    transformer.load_state_dict(_of_part("transformer", weights))
    tokenizer, text_encoder = _text(transformer_run, weights)
    pipe = CogVideoXPipeline(
        tokenizer=tokenizer, text_encoder=text_encoder, vae=vae, transformer=transformer, scheduler=new_scheduler()
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".writing-") as name:
        draft = Path(name) / out.name
        pipe.to(STORAGE).save_pretrained(draft)
        for part, run in (("vae", vae_run), ("transformer", transformer_run)):
            copy_history(part, run, draft)
        if (transformer_run / "text.toml").exists():
            shutil.copy(transformer_run / "text.toml", draft)
        training_curves(sorted(draft.glob("*.jsonl"), reverse=True)).savefig(draft / "curves.png", dpi=80)
        if (out / "README.md").exists():  # the card is written by hand; its scores must be measured anew
            shutil.copy(out / "README.md", draft / "README.md")
        if out.exists():
            shutil.rmtree(out)
        draft.rename(out)


def copy_history(part: str, run: Path, into: Path) -> None:
    """The recipe and what was noted while it ran, as `part`.toml and `part`.jsonl; from a pipeline what it has."""
    shipped = (run / "model_index.json").exists()
    for name, copy in (("config.toml", f"{part}.toml"), ("metrics.jsonl", f"{part}.jsonl")):
        source = run / (copy if shipped else name)
        if source.exists():
            shutil.copy(source, into / copy)


def _text(run: Path, weights: dict[str, Tensor]) -> tuple[T5Tokenizer, T5EncoderModel]:
    """The text encoder of a run, and its words: a run that took them over has kept them."""
    words = run / "tokenizer"
    tokenizer = T5Tokenizer.from_pretrained(words) if words.exists() else new_tokenizer()
    text_encoder = new_text_encoder(len(tokenizer))
    text_encoder.load_state_dict(_of_part("text_encoder", weights))
    return tokenizer, text_encoder


def _check_size(folder: Path, text_encoder: T5EncoderModel) -> None:
    there, ours = text_encoder.config, new_text_encoder(1).config
    if (there.d_model, there.num_layers) != (ours.d_model, ours.num_layers):
        raise ConfigError(
            f"{folder} has a text encoder of {there.num_layers} layers, {there.d_model} wide; a run trains with one of"
            f" {ours.num_layers} layers, {ours.d_model} wide. Leave --text out to train a fresh one"
        )


def _of_part(name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}


def _config(folder: Path) -> Config:
    if not (folder / "checkpoint.pt").exists():
        raise ConfigError(f"{folder} holds no training run: checkpoint.pt is missing")
    return read_config(folder / "config.toml")
