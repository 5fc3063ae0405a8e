"""nnsight: q and k are read where attention is called; the columns are computed by hand, some queries at a time."""

import torch
from nnsight import NNsight, save


class Whole(torch.nn.Module):
    def __init__(self, pipe):
        super().__init__()
        self.pipe, self.transformer = pipe, pipe.transformer

    def forward(self, **call):
        return self.pipe(**call).frames


def columns(q, k, words, text):
    maps = []
    for rows in q[:, text:].split(1024, dim=1):
        p = (rows.float() @ k.float().mT * q.shape[-1] ** -0.5).softmax(-1).mean(0)
        maps.append(torch.stack([p[:, slots].mean(-1) for slots in words.values()], -1))
    return torch.cat(maps)


def word_maps(pipe, call, words):
    steps, text = call["num_inference_steps"], call["max_sequence_length"]
    model = NNsight(Whole(pipe))
    with model.trace(**call) as tracer:
        maps = save([])
        for _ in tracer.iter[:steps]:
            for block in model.transformer.transformer_blocks:
                attention = block.attn1.source.self_processor_0.source.F_scaled_dot_product_attention_0
                q, k, _ = attention.inputs[0]
                maps.append(columns(q[-1], k[-1], words, text))
        latents = save(tracer.result)
    return latents, torch.stack(maps).unflatten(0, (steps, -1))
