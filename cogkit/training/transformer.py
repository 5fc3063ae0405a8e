"""Training the expert transformer and its text encoder, by the paper's recipe at the size of a laptop.

Frame pack: every step holds clips of several durations (and sizes). Clips of one kind run as a batch, so no clip
attends to another, and the loss is taken over all tokens of the pack. Resolution grows from stage to stage, timesteps
are drawn by explicit uniform sampling, one prompt in ten is emptied for classifier-free guidance.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from diffusers.pipelines.cogvideo.pipeline_cogvideox import get_resize_crop_region_for_grid
from torch import Tensor, nn

from cogkit.checkpoints import cpu_has_fast_bf16, load
from cogkit.shapes import PATCH, SPATIAL, latent_frames
from cogkit.training.alignment import Overhear, alignment_head, alignment_loss
from cogkit.training.config import Config
from cogkit.training.dense_attention import DenseAttention
from cogkit.training.diffusion import add_noise, new_scheduler
from cogkit.training.latent_store import LONGEST, LatentStore, encode_scenes
from cogkit.training.text import MAX_TEXT, UNSEEN_WORD, new_text_encoder, new_tokenizer, take_over, token_ids
from cogkit.training.timesteps import explicit_uniform
from cogkit.training.usual_error import UsualError
from cogkit.training.vae import UNSEEN
from cogkit.world.captions import caption

EMPTY_PROMPT_SHARE = 0.1
UNSEEN_WORD_SHARE = 0.08  # a shape must be read from its own word, whatever the colour says
MUON_SHARE = 3.0  # of the learning rate


def new_transformer(size: int = 128, frames: int = 17, text_width: int = 128, **sizes) -> CogVideoXTransformer3DModel:
    """A CogVideoXTransformer3DModel with every idea of the 5B; modulation and head start at zero, as in SAT."""
    transformer = CogVideoXTransformer3DModel(
        attention_head_dim=64,
        in_channels=16,
        out_channels=16,
        patch_size=PATCH,
        text_embed_dim=text_width,
        max_text_seq_length=MAX_TEXT,
        sample_width=size // SPATIAL,
        sample_height=size // SPATIAL,
        sample_frames=frames,
        temporal_compression_ratio=4,
        use_rotary_positional_embeddings=True,
        **sizes,
    )
    zero = [transformer.norm_out.linear, transformer.proj_out]
    zero += [linear for block in transformer.transformer_blocks for linear in (block.norm1.linear, block.norm2.linear)]
    for linear in zero:
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
    return transformer


def rotary_embedding(config, size: int, frames: int) -> tuple[Tensor, Tensor]:
    """cos and sin for the video tokens, by the pipeline's own rule: other sizes are fitted into the configured grid."""
    base = config.sample_height // PATCH, config.sample_width // PATCH
    grid = (size // SPATIAL // PATCH,) * 2
    return get_3d_rotary_pos_embed(
        embed_dim=config.attention_head_dim,
        crops_coords=get_resize_crop_region_for_grid(grid, *base),
        grid_size=grid,
        temporal_size=latent_frames(frames),
    )


class TransformerTask:
    """Latents are encoded when first needed and kept in `folder`; `vae` is what encodes them."""

    def __init__(self, config: Config, folder: Path, vae: AutoencoderKLCogVideoX):
        torch.manual_seed(config.seed)
        self.config = config
        self.tokenizer = new_tokenizer()
        text_encoder = new_text_encoder(len(self.tokenizer))
        self.model = nn.ModuleDict({"transformer": new_transformer(**config.model), "text_encoder": text_encoder})
        if config.start:
            pipe = load(config.start, torch.float32)
            self.model["transformer"].load_state_dict(pipe.transformer.state_dict())
            take_over(text_encoder, self.tokenizer, pipe.text_encoder, pipe.tokenizer)
        blocks = self.model["transformer"].transformer_blocks
        if config.alignment:
            self.model["alignment"] = alignment_head(self.model["transformer"].norm_final.normalized_shape[0])
            self.halfway = Overhear()
            blocks[len(blocks) // 2 - 1].register_forward_hook(self.halfway)
        if config.even_levels:
            self.model["usual"] = nn.ModuleDict({"v": UsualError(), "alignment": UsualError()})
        if config.compile:
            torch._dynamo.config.recompile_limit = 64  # sizes x durations x text slots; beyond it nothing is compiled
            for block in blocks:
                block.compile(dynamic=False)
        self.alpha_bars = new_scheduler().alphas_cumprod
        self.clips: dict[int, LatentStore] = {}
        self.stills: dict[int, LatentStore] = {}
        self.unseen: dict[int, LatentStore] = {}
        groups = [group for stage in config.stages for group in stage.groups]
        for size in sorted({group.size for group in groups}):
            first = size * 1_000_000 + config.data.get("first_scene", 0)
            kind = {key: config.data[key] for key in ("two", "painted") if key in config.data}
            for frames, kept in ((LONGEST, self.clips), (1, self.stills)):
                if any((group.size == size and (group.frames == 1) == (frames == 1)) for group in groups):
                    seeds = range(first, first + config.data[f"{'stills' if frames == 1 else 'clips'}_{size}"])
                    path = folder / f"latents-{size}-{frames}.pt"
                    kept[size] = encode_scenes(vae, seeds, size, path, frames, **kind)
            held_out = range(UNSEEN, UNSEEN + config.data.get("validation_scenes", 64))
            path = folder / f"latents-{size}-held-out.pt"
            self.unseen[size] = encode_scenes(vae, held_out, size, path, pairs="held out")

    def optimisers(self) -> list[torch.optim.Optimizer]:
        """AdamW, or Muon for the matrices of attention and feed-forward and AdamW for everything else."""
        matrices = []
        if self.config.optimiser == "muon":
            blocks = self.model["transformer"].transformer_blocks
            matrices = [p for b in blocks for part in (b.attn1, b.ff) for p in part.parameters() if p.ndim == 2]
        taken = {id(p) for p in matrices}
        others = [p for p in self.model.parameters() if id(p) not in taken]
        decay = self.config.weight_decay
        optimisers = [torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=decay, fused=True)]
        if matrices:
            groups = [{"params": matrices, "share": MUON_SHARE}]
            optimisers.append(torch.optim.Muon(groups, weight_decay=decay, adjust_lr_fn="match_rms_adamw"))
        return optimisers

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        stage = self.config.stage_at(step)
        dice = np.random.default_rng((self.config.seed, step))
        generator = torch.Generator().manual_seed(int(dice.integers(2**62)))
        slots = int(dice.choice(stage.text_slots))
        timesteps = explicit_uniform(sum(group.clips for group in stage.groups), generator)
        squared, count, aligned, notes = 0.0, 0, [], {}
        for group in stage.groups:
            store = (self.stills if group.frames == 1 else self.clips)[group.size]
            chosen = dice.integers(len(store.scenes), size=group.clips)
            prompts = [self._prompt(store, int(k), dice, group.frames) for k in chosen]
            x0 = store.latents(torch.from_numpy(chosen), group.frames)
            noise = torch.randn(x0.shape, generator=generator)
            t, timesteps = timesteps[: group.clips], timesteps[group.clips :]
            error = self._error(self.model, x0, noise, t, prompts, slots, group.size, group.frames)
            notes[f"loss_{group.size}_{group.frames}"] = float(error.detach().mean())
            squared += self._evened("v", error.mean((1, 2, 3, 4)), t) * error[0].numel()
            count += error.numel()
            if self.config.alignment:
                scenes, tokens = [store.scenes[k] for k in chosen], self.halfway.tokens
                amiss = alignment_loss(self.model["alignment"], tokens, scenes, group.size, group.frames)
                aligned.append(self._evened("alignment", amiss, t) / group.clips)
        loss = squared / count
        if aligned:
            second = sum(aligned) / len(aligned)
            loss, notes["alignment"] = loss + self.config.alignment * second, float(second.detach())
        return loss, notes

    def _evened(self, what: str, errors: Tensor, t: Tensor) -> Tensor:
        """The sum of the clips' errors, each in units of what is usual at its timestep if the config says so."""
        return (errors * self.model["usual"][what].weights(errors, t) if self.config.even_levels else errors).sum()

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """Loss on held-out colour-shape pairs with fixed noise, timesteps and phrasing."""
        notes = {}
        for size, store in self.unseen.items():
            which = torch.arange(len(store.scenes))
            x0 = store.latents(which, 17)
            generator = torch.Generator().manual_seed(0)
            noise, t = torch.randn(x0.shape, generator=generator), explicit_uniform(len(which), generator)
            prompts = [caption(store.scenes[k], k) for k in range(len(which))]
            notes[f"unseen_{size}"] = float(self._error(model, x0, noise, t, prompts, 40, size, 17).mean())
        return notes

    def _error(self, model, x0, noise, t, prompts, slots, size, frames) -> Tensor:
        noised = add_noise(x0, noise, t, self.alpha_bars)
        with torch.autocast("cpu", torch.bfloat16, enabled=cpu_has_fast_bf16()):
            text = model["text_encoder"](token_ids(self.tokenizer, prompts, slots))[0]
            rotary = rotary_embedding(model["transformer"].config, size, frames)
            with DenseAttention():
                v = model["transformer"](noised.latents, text, t, image_rotary_emb=rotary).sample
        return F.mse_loss(v.float(), noised.v, reduction="none")

    @staticmethod
    def _prompt(store: LatentStore, k: int, dice: np.random.Generator, frames: int) -> str:
        """A fresh phrasing; sometimes nothing, sometimes with a word blotted out, so that unknown words do no harm."""
        if dice.random() < EMPTY_PROMPT_SHARE:
            return ""
        said = caption(store.scenes[k], int(dice.integers(2**31)), still_frame=frames == 1 and dice.random() < 0.8)
        return " ".join(UNSEEN_WORD if dice.random() < UNSEEN_WORD_SHARE else word for word in said.split())
