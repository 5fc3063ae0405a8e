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
        return pipe.tokenizer, pipe.text_encoder
    if (part := _config(folder).part) != "text":
        raise ConfigError(f"{folder} is a run of the {part}; --text wants a pipeline or a run of the text encoder")
    return _text(folder)


def export_pipeline(vae_run: Path, transformer_run: Path, out: Path) -> None:
    """Assemble and write the pipeline; an existing folder is replaced only once the new one is whole."""
    vae = trained_vae(vae_run)
    tokenizer, text_encoder = _text(transformer_run)
    transformer = new_transformer(**_config(transformer_run).model)
    transformer.load_state_dict(_of_part("transformer", averaged_weights(transformer_run)))
    pipe = CogVideoXPipeline(
        tokenizer=tokenizer, text_encoder=text_encoder, vae=vae, transformer=transformer, scheduler=new_scheduler()
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".writing-") as name:
        draft = Path(name) / out.name
        pipe.to(STORAGE).save_pretrained(draft)
        for part, run in (("vae", vae_run), ("transformer", transformer_run)):
            _copy_history(part, run, draft)
        if (transformer_run / "text.toml").exists():
            shutil.copy(transformer_run / "text.toml", draft)
        training_curves(sorted(draft.glob("*.jsonl"), reverse=True)).savefig(draft / "curves.png", dpi=80)
        if (out / "README.md").exists():  # the card is written by hand; its scores must be measured anew
            shutil.copy(out / "README.md", draft / "README.md")
        if out.exists():
            shutil.rmtree(out)
        draft.rename(out)


def _copy_history(part: str, run: Path, draft: Path) -> None:
    """The recipe and what was noted while it ran, as `part`.toml and `part`.jsonl; from a pipeline what it has."""
    shipped = (run / "model_index.json").exists()
    for name, copy in (("config.toml", f"{part}.toml"), ("metrics.jsonl", f"{part}.jsonl")):
        source = run / (copy if shipped else name)
        if source.exists():
            shutil.copy(source, draft / copy)


def _text(run: Path) -> tuple[T5Tokenizer, T5EncoderModel]:
    """The averaged text encoder of a run and the words it was trained with; a run that took them over says which."""
    words = run / "tokenizer"
    tokenizer = T5Tokenizer.from_pretrained(words) if words.exists() else new_tokenizer()
    text_encoder = new_text_encoder(len(tokenizer))
    text_encoder.load_state_dict(_of_part("text_encoder", averaged_weights(run)))
    return tokenizer, text_encoder


def _of_part(name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}


def _config(folder: Path) -> Config:
    if not (folder / "checkpoint.pt").exists():
        raise ConfigError(f"{folder} holds no training run: checkpoint.pt is missing")
    return read_config(folder / "config.toml")
