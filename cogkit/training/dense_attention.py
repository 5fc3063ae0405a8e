"""Attention for training on a CPU: at a few hundred tokens, three plain matrix products beat the fused kernel.

`benchmarks/dense_attention.py` measures by how much.
"""

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode


class DenseAttention(TorchFunctionMode):
    """Within this context, scaled_dot_product_attention is computed densely; the same numbers up to rounding."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is not F.scaled_dot_product_attention:
            return func(*args, **kwargs)
        q, k, v = args
        if kwargs.get("attn_mask") is not None or kwargs.get("is_causal") or kwargs.get("dropout_p"):
            raise NotImplementedError("the joint attention of CogVideoX has no mask, no causality and no dropout")
        batch, heads, tokens, width = q.shape
        q, k, v = (part.reshape(batch * heads, -1, width) for part in (q, k, v))
        scores = torch.baddbmm(q.new_zeros(1, 1, 1), q, k.transpose(1, 2), beta=0, alpha=width**-0.5)
        return torch.bmm(scores.softmax(-1).to(v.dtype), v).view(batch, heads, tokens, width)
