"""The one attention call inside of a block: its q, k, v on the way in, its probabilities, its z on the way out."""

import torch
from torch.overrides import TorchFunctionMode

from cogkit.recording.kernel import AttentionError
from cogkit.recording.pattern import Pattern


class AttentionTap(TorchFunctionMode):
    """Sees every torch call inside of one `attn1`, and answers only for attention."""

    def __init__(self, board, layer: int):
        super().__init__()
        self.board, self.layer = board, layer

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.nn.functional.scaled_dot_product_attention:
            return attend_in_place(self.board, self.layer, func, args, kwargs or {})
        return func(*args, **(kwargs or {}))


def attend_in_place(board, layer: int, call, args, kwargs):
    """In the place of one `scaled_dot_product_attention`; without edits the answer is the same to the bit."""
    board.attended.add(layer)
    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")
    given = dict(zip(names, args, strict=False)) | kwargs
    for kind, name in (("attn.q", "query"), ("attn.k", "key"), ("attn.v", "value")):
        given[name] = board.send(kind, layer, given[name])
    if not board.wanted("attn.pattern", layer) or not board.is_whole("attn.pattern", given["query"]):
        return board.send("attn.z", layer, call(**given))
    if given.get("attn_mask") is not None or any(given.get(n) for n in ("dropout_p", "is_causal", "enable_gqa")):
        raise AttentionError(f"block {layer} calls attention with a mask, dropout or shared heads: no exact columns")
    chunk = min(visitor.chunk for visitor in board.visitors)
    pattern = Pattern(given["query"], given["key"], given["value"], given.get("scale"), chunk)
    asking = [visitor for visitor in board.visitors if visitor.wants("attn.pattern", layer, board.step)]
    for visitor in asking:  # editors first, each of which sees what the one before it made
        edits = visitor.visit("attn.pattern", layer, pattern, board.step)
        if visitor.edits:
            pattern.apply(edits or [])
    return board.send("attn.z", layer, pattern.z)
