"""Finished runs -> a pipeline folder that stock diffusers loads, with nothing of ours in it."""

import shutil
import tempfile
from pathlib import Path

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXPipeline

from cogkit.plots.curves import training_curves
from cogkit.training.config import Config, ConfigError, read_config
from cogkit.training.diffusion import new_scheduler
from cogkit.training.loop import averaged_weights
from cogkit.training.text import new_text_encoder, new_tokenizer
from cogkit.training.transformer import new_transformer
from cogkit.training.vae import equalise_latents, new_vae, unseen_shapes

CLIPS_FOR_SCALE = 16
STORAGE = torch.float16  # half the size; the rounding is far below the averaging of the weights


def trained_vae(folder: Path) -> AutoencoderKLCogVideoX:
    """The averaged VAE of a run, its latents equalised over moving shapes, so that the scaling factor is 1."""
    vae = new_vae(**_config(folder).model)
    vae.load_state_dict(averaged_weights(folder))
    vae.eval().requires_grad_(False)
    equalise_latents(vae, unseen_shapes(CLIPS_FOR_SCALE))
    return vae


def export_pipeline(vae_run: Path, transformer_run: Path, out: Path) -> None:
    """Assemble and write the pipeline; an existing folder is replaced only once the new one is whole."""
    vae = trained_vae(vae_run)
    tokenizer = new_tokenizer()
    transformer = new_transformer(**_config(transformer_run).model)
    text_encoder = new_text_encoder(len(tokenizer))
    weights = averaged_weights(transformer_run)
    for name, module in (("transformer", transformer), ("text_encoder", text_encoder)):
        prefix = f"{name}."
        module.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
    pipe = CogVideoXPipeline(
        tokenizer=tokenizer, text_encoder=text_encoder, vae=vae, transformer=transformer, scheduler=new_scheduler()
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".writing-") as name:
        draft = Path(name) / out.name
        pipe.to(STORAGE).save_pretrained(draft)
        training_curves({"vae": vae_run, "transformer": transformer_run}).savefig(draft / "curves.png", dpi=80)
        for part, run in (("vae", vae_run), ("transformer", transformer_run)):
            shutil.copy(run / "config.toml", draft / f"{part}.toml")
        if (out / "README.md").exists():  # the card is written by hand; its scores must be measured anew
            shutil.copy(out / "README.md", draft / "README.md")
        if out.exists():
            shutil.rmtree(out)
        draft.rename(out)


def _config(folder: Path) -> Config:
    if not (folder / "checkpoint.pt").exists():
        raise ConfigError(f"{folder} holds no training run: checkpoint.pt is missing")
    return read_config(folder / "config.toml")
