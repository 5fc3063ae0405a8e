"""attention-map-diffusers, exact mode: maps are computed in chunks inside of the attention call."""

import torch
from attention_map_diffusers import AttentionCapture


def word_maps(pipe, call, words):
    pieces = sorted(slot for slots in words.values() for slot in slots)
    options = {"relations": ["video->text"], "timesteps": "all", "relation_key_indices": {"video->text": pieces}}
    with AttentionCapture(pipe, mode="exact", **options) as capture:
        latents = pipe(**call).frames
    columns = [found.data[-1, 0] for found in capture.compute()]
    places = [[pieces.index(slot) for slot in slots] for slots in words.values()]
    maps = torch.stack([torch.stack([each[:, place].mean(-1) for place in places], -1) for each in columns])
    return latents, maps.unflatten(0, (call["num_inference_steps"], -1))
