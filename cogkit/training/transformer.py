"""Training the expert transformer and its text encoder, by the paper's recipe at the size of a laptop.

Every step holds clips of several durations and sizes (frame_pack.py); the loss is taken over all tokens of the pack.
Resolution grows from stage to stage, timesteps are drawn by explicit uniform sampling, one prompt in ten is emptied for
classifier-free guidance.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from diffusers.pipelines.cogvideo.pipeline_cogvideox import get_resize_crop_region_for_grid
from torch import Tensor, nn
from transformers import T5EncoderModel, T5Tokenizer

from cogkit.checkpoints import cpu_has_fast_bf16, load
from cogkit.shapes import PATCH, SPATIAL, Latents, latent_frames
from cogkit.training.alignment import Overhear, alignment_head, alignment_loss
from cogkit.training.config import Config
from cogkit.training.dense_attention import DenseAttention
from cogkit.training.frame_pack import Batch, FramePacks
from cogkit.training.muon import muon_and_adamw
from cogkit.training.text import MAX_TEXT, new_text_encoder, new_tokenizer, take_over, token_ids
from cogkit.training.usual_error import UsualError


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
    """Denoising on frame packs, with what helps it.

    `vae` encodes the scenes; their latents are kept in `folder`. `text`: an encoder that was trained before
    (text_task.py), with its words; it is left as it is, as the T5 of the released models.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        vae: AutoencoderKLCogVideoX,
        text: tuple[T5Tokenizer, T5EncoderModel] | None = None,
    ):
        torch.manual_seed(config.seed)
        self.config = config
        if text:
            self.tokenizer, text_encoder = text[0], text[1].requires_grad_(False)
        else:
            self.tokenizer = new_tokenizer()
            text_encoder = new_text_encoder(len(self.tokenizer))
        self.model = nn.ModuleDict({"transformer": new_transformer(**config.model), "text_encoder": text_encoder})
        if config.start:
            pipe = load(config.start, torch.float32)
            self.model["transformer"].load_state_dict(pipe.transformer.state_dict())
            if not text:
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
        self.packs = FramePacks(config, folder, vae)

    def optimisers(self) -> list[torch.optim.Optimizer]:
        """AdamW, or Muon for the matrices of attention and feed-forward and AdamW for everything else."""
        matrices = []
        if self.config.optimiser == "muon":
            blocks = self.model["transformer"].transformer_blocks
            matrices = [p for b in blocks for part in (b.attn1, b.ff) for p in part.parameters() if p.ndim == 2]
        return muon_and_adamw(self.model, matrices, self.config.weight_decay)

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        slots, pack = self.packs.pack(step)
        squared, count, aligned, notes = 0.0, 0, [], {}
        for batch in pack:
            error = self._error(self.model, batch, slots)
            notes[f"loss_{batch.size}_{batch.frames}"] = float(error.detach().mean())
            squared += self._evened("v", error.mean((1, 2, 3, 4)), batch.t) * error[0].numel()
            count += error.numel()
            if self.config.alignment:
                head, tokens = self.model["alignment"], self.halfway.tokens
                amiss = alignment_loss(head, tokens, batch.scenes, batch.named, batch.size, batch.frames)
                aligned.append(self._evened("alignment", amiss, batch.t) / len(amiss))
        loss = squared / count
        if aligned:
            second = sum(aligned) / len(aligned)
            loss, notes["alignment"] = loss + self.config.alignment * second, float(second.detach())
        return loss, notes

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """Loss on held-out colour-shape pairs."""
        return {f"unseen_{batch.size}": float(self._error(model, batch, 40).mean()) for batch in self.packs.held_out()}

    def _evened(self, what: str, errors: Tensor, t: Tensor) -> Tensor:
        """The sum of the clips' errors, each in units of what is usual at its timestep if the config says so."""
        return (errors * self.model["usual"][what].weights(errors, t) if self.config.even_levels else errors).sum()

    def _error(self, model: nn.Module, batch: Batch, slots: int) -> Latents:
        """Squared, between v and what it should be."""
        with torch.autocast("cpu", torch.bfloat16, enabled=cpu_has_fast_bf16()):
            text = model["text_encoder"](token_ids(self.tokenizer, batch.prompts, slots))[0]
            rotary = rotary_embedding(model["transformer"].config, batch.size, batch.frames)
            with DenseAttention():
                v = model["transformer"](batch.noised.latents, text, batch.t, image_rotary_emb=rotary).sample
        return F.mse_loss(v.float(), batch.noised.v, reduction="none")
