"""The released checkpoints, as data: what differs from ExpertTransformer's defaults, which are the 2B's.

That is 30 blocks of width 1920 (30 heads of 64), timesteps as 512 numbers, 226 text tokens of T5's width 4096, and
patches of 2 x 2 for latents of 16 x 60 x 90. I2V has 32 channels: the image's latents lie beside the noisy ones.
`sample_frames` counts pixel frames, although `sample_height` and `sample_width` count latent pixels.
The latent height and width of 1.5 bound the table of positions of the reference, not the video; files differ in them.
"""

_5B = dict(num_layers=42, num_attention_heads=48, use_rotary_positional_embeddings=True)
_1_5 = dict(_5B, patch_size_t=2, patch_bias=False, sample_height=300, sample_width=300, sample_frames=81)

RELEASED = {
    "CogVideoX-2b": dict(),
    "CogVideoX-5b": _5B,
    "CogVideoX-5b-I2V": dict(_5B, in_channels=32, use_learned_positional_embeddings=True),
    "CogVideoX1.5-5B": _1_5,
    "CogVideoX1.5-5B-I2V": dict(_1_5, in_channels=32, ofs_embed_dim=512),
}
