"""The causal VAE, video <-> latents, written to be read.

In the order of reading: `stream` (what one chunk must know of the chunks before it), `causal_conv`, `resample`,
`spatial_norm`, `resnet`, `encoder`, `posterior`, `decoder`, `tiling`, `autoencoder`; and
`preview`, which stands in for the decoder where a glance will do.
"""
