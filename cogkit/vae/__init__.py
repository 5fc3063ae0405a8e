"""The causal VAE, video <-> latents, written to be read.

In the order of reading: `stream` (what one chunk must know of the chunks before it), `causal_conv`, `resample`,
`group_norm`, `spatial_norm`, `resnet`, `networks`, `posterior`, `tiling`, `passage`, `autoencoder`.
"""
