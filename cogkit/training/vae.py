"""Training the 3D causal VAE: a linear start, then reconstruction.

Losses and stages follow section 2.1 of the paper where a laptop allows it (L1, a tiny KL, crops first and whole
frames last); LPIPS and the GAN are left out, squared error is added: the world is drawn, not filmed.
The clip goes through the stock `encode` and `decode`, chunks and caches included: trained as it will be used.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderKLCogVideoX
from jaxtyping import Float
from torch import Tensor, nn

from cogkit.checkpoints import cpu_has_fast_bf16, load
from cogkit.clips import read_clip, to_video
from cogkit.shapes import Video
from cogkit.training.config import Config, Group
from cogkit.training.footage import Footage
from cogkit.training.linear_code import Code, LinearCode, fit_linear_code
from cogkit.training.warm_start import start_as_linear_code
from cogkit.world.render import render
from cogkit.world.scene import sample_scene

CLIPS = Path(__file__).parents[2] / "data" / "clips"
HELD_OUT_CLIP = "sintel_dragon.mp4"
UNSEEN = 10_000_000  # scenes 10 to 12 million are kept for measuring: no training throws them
KL_WEIGHT = 1e-6
ENCODER_SHARE = 0.02  # of the learning rate: at the full one, joint training forgets the linear start
STILL_EVERY = 16  # every n-th step trains on single frames instead


def new_vae(**sizes) -> AutoencoderKLCogVideoX:
    """An AutoencoderKLCogVideoX: 4x8x8, 16 latent channels; widths and depths as given."""
    return AutoencoderKLCogVideoX(
        latent_channels=16,
        temporal_compression_ratio=4,
        sample_height=128,
        sample_width=128,
        scaling_factor=1.0,
        **sizes,
    )


def training_clips() -> list[Path]:
    return [path for path in sorted(CLIPS.glob("*.mp4")) if path.name != HELD_OUT_CLIP]


def reference_code(seed: int = 0, clips: int = 60) -> tuple[LinearCode, list[Video]]:
    """The linear code that the VAE starts from and is compared with, and the footage it was fitted to."""
    footage = Footage(training_clips(), seed)
    fitted_to = [footage.batch(UNSEEN + k, 2, 17, 128) for k in range(clips)]
    return fit_linear_code(fitted_to), fitted_to


class VAETask:
    def __init__(self, config: Config, fresh: bool = True):
        torch.manual_seed(config.seed)
        self.config = config
        self.model = new_vae(**config.model)
        self.footage = Footage(training_clips(), config.seed)
        if config.start:
            self.model.load_state_dict(load(config.start, torch.float32).vae.state_dict())
        elif fresh:
            code, fitted_to = reference_code(config.seed, config.data.get("linear_clips", 60))
            error = start_as_linear_code(self.model, code, fitted_to[: config.data.get("start_clips", 40)])
            print(f"the encoder starts as a linear code, {error:.1%} of variance away from the best one")
        measured = config.data.get("validation_clips", 8)
        self.test_sets = {"shapes": unseen_shapes(measured), "real": unseen_real(max(1, measured // 4))}

    def optimisers(self) -> list[torch.optim.Optimizer]:
        groups = [
            {"params": list(self.model.encoder.parameters()), "share": ENCODER_SHARE},
            {"params": list(self.model.decoder.parameters())},
        ]
        return [torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=self.config.weight_decay, fused=True)]

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        stage = self.config.stage_at(step)
        still = step % STILL_EVERY == STILL_EVERY - 1
        group = Group(size=64, frames=1, clips=8) if still else stage.groups[0]
        video = self.footage.batch(step, group.clips, group.frames, group.size, stage.film)
        noise = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        self.model.encoder.requires_grad_(stage.train_encoder)
        # bf16 backward through a causal convolution over one frame stalls on CPUs: single frames train in fp32.
        with torch.autocast("cpu", torch.bfloat16, enabled=cpu_has_fast_bf16() and not still):
            posterior = self.model.encode(video).latent_dist
            decoded = self.model.decode(posterior.sample(noise)).sample.float()
        error = decoded - video
        kl = posterior.kl().float().mean() / posterior.mean[0].numel()
        loss = how_wrong(error, self.config.even_clips) + KL_WEIGHT * kl
        return loss, {"psnr": psnr(decoded.detach(), video), "kl": float(kl.detach())}

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        with torch.autocast("cpu", torch.bfloat16, enabled=cpu_has_fast_bf16()):
            return {f"psnr_{name}": psnr(reconstruct(model, videos), videos) for name, videos in self.test_sets.items()}


def how_wrong(error: Video, even_clips: bool = False) -> Tensor:
    """Squared and absolute error together; with `even_clips` every clip pulls alike, however wrong it is."""
    squared, absolute = error.square().mean((1, 2, 3, 4)), error.abs().mean((1, 2, 3, 4))
    return (squared.log() + absolute.log()).mean() if even_clips else 5 * squared.mean() + absolute.mean()


def reconstruct(vae: nn.Module, videos: Video) -> Video:
    """Encode and decode clip by clip, without sampling."""
    return torch.cat([vae.decode(vae.encode(v[None]).latent_dist.mode()).sample.float() for v in videos])


def psnr(got: Video, wanted: Video) -> float:
    """Peak signal-to-noise ratio in dB over all clips together; the peak is 2, from -1 to 1."""
    return float(-10 * torch.log10((got.clamp(-1, 1) - wanted).square().mean() / 4))


def unseen_shapes(count: int, frames: int = 17, size: int = 128) -> Video:
    """Renderings that no training ever saw, one and two things, all pairs."""
    return torch.cat(
        [to_video(render(sample_scene(UNSEEN + k, pairs="all"), frames, size).frames) for k in range(count)]
    )


def unseen_real(count: int, frames: int = 17, size: int = 128) -> Video:
    """Windows of the clip that is kept out of training, spread over its length."""
    clip = read_clip(CLIPS / HELD_OUT_CLIP)
    edge = (clip.shape[1] - size) // 2
    starts = [round(k * (len(clip) - frames) / max(1, count - 1)) for k in range(count)]
    return torch.cat([to_video(clip[s : s + frames, edge : edge + size, edge : edge + size]) for s in starts])


@torch.no_grad()
def weigh_latents(vae: nn.Module, videos: Video, power: float = 0.5) -> None:
    """Rescale the latent channels so that their spread follows what they show; what the VAE computes stays the same.

    A channel's standard deviation becomes (standard deviation x its effect on the pixels) ** power, 1 for the
    strongest. At power 0 all channels are alike, and most of the diffusion model's effort goes into fine detail that
    nobody sees, decided while noise still hides everything else; at power 1 an error costs what it costs in pixels.
    """
    latents = torch.cat([vae.encode(video[None]).latent_dist.mode() for video in videos])
    std = latents.std((0, 2, 3, 4))
    seen = std * pixel_effect(vae, latents[:4])
    factor = (seen / seen.max()) ** power / std
    channels, out = len(std), vae.encoder.conv_out.conv
    out.weight[:channels] *= factor.view(-1, 1, 1, 1, 1)
    out.bias[:channels] *= factor
    out.bias[channels:] += 2 * factor.log()  # the log-variance follows
    norms = [m for m in vae.decoder.modules() if type(m).__name__ == "CogVideoXSpatialNorm3D"]
    for conv in [vae.decoder.conv_in.conv, *(c.conv for norm in norms for c in (norm.conv_y, norm.conv_b))]:
        conv.weight /= factor.view(1, -1, 1, 1, 1)


def pixel_effect(vae: nn.Module, latents: Code, share: float = 0.3) -> Float[Tensor, "z"]:
    """RMS change of the pixels per unit of change in each latent channel, probed with random signs."""
    decoded, std, effects = vae.decode(latents).sample, latents.std((0, 2, 3, 4)), []
    for channel in range(latents.shape[1]):
        sign = torch.randint(2, latents[:, channel].shape, generator=torch.Generator().manual_seed(channel)) * 2 - 1
        probe = latents.clone()
        probe[:, channel] += share * std[channel] * sign
        change = (vae.decode(probe).sample - decoded).square().mean().sqrt()
        effects.append(change / (share * std[channel]))
    return torch.stack(effects)
