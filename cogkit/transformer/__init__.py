"""The expert transformer of CogVideoX: noisy latents, text and a timestep in, v out. Written to be read, in this order:

patchify.py      latents <-> patches
sincos.py        where a patch is, added to it (2B)
rope.py          where a patch is, as a rotation of queries and keys (5B, 1.5)
patch_embed.py   latents and text -> one sequence of tokens
timestep.py      how noisy it is -> the vector that drives every modulation
adaln.py         one LayerNorm, two experts
attention.py     text and video attend to each other, all at once
feed_forward.py  every token by itself
block.py         the four above, with two gated residuals
transformer.py   the whole model
released.py      the sizes of the released checkpoints

Paper: CogVideoX (arXiv:2408.06072), section 2.2, figures 3 and 4.
Every module has the name that it has in diffusers, so checkpoints load and hooks find their place.
"""
