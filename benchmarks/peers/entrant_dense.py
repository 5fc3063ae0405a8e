"""A processor typed anew that computes the whole softmax and cuts columns out of it, as most published code does."""

import torch
from diffusers.models.embeddings import apply_rotary_emb


class DenseProcessor:
    def __init__(self, words):
        self.words, self.maps = words, []

    def __call__(self, attn, hidden_states, encoder_hidden_states, attention_mask=None, image_rotary_emb=None):
        text = encoder_hidden_states.shape[1]
        joint = torch.cat([encoder_hidden_states, hidden_states], dim=1)
        projections = (attn.to_q, attn.to_k, attn.to_v)
        q, k, v = (to(joint).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for to in projections)
        q, k = attn.norm_q(q), attn.norm_k(k)
        if image_rotary_emb is not None:
            q[:, :, text:] = apply_rotary_emb(q[:, :, text:], image_rotary_emb)
            k[:, :, text:] = apply_rotary_emb(k[:, :, text:], image_rotary_emb)
        p = (q.float() @ k.float().mT * q.shape[-1] ** -0.5).softmax(-1)
        columns = p[-1].mean(0)[text:]
        self.maps.append(torch.stack([columns[:, slots].mean(-1) for slots in self.words.values()], -1))
        out = (p.to(v.dtype) @ v).transpose(1, 2).flatten(2)
        out = attn.to_out[1](attn.to_out[0](out))
        return out[:, text:], out[:, :text]


def word_maps(pipe, call, words):
    processor, before = DenseProcessor(words), pipe.transformer.attn_processors
    pipe.transformer.set_attn_processor(processor)
    try:
        latents = pipe(**call).frames
    finally:
        pipe.transformer.set_attn_processor(before)
    return latents, torch.stack(processor.maps).unflatten(0, (-1, len(pipe.transformer.transformer_blocks)))
