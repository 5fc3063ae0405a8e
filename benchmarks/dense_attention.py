"""Dense against fused attention, forward and backward in bf16, at the sizes that training meets.

.venv/bin/python benchmarks/dense_attention.py
"""

import time
from contextlib import nullcontext

import torch
import torch.nn.functional as F

from cogkit.training.dense_attention import DenseAttention

ROUNDS = 7


def seconds(context, q, k, v) -> float:
    since = time.perf_counter()
    with context:
        out = F.scaled_dot_product_attention(q, k, v)
    out.sum().backward()
    return time.perf_counter() - since


for clips, tokens in ((24, 112), (14, 352), (8, 546)):
    q, k, v = (torch.randn(clips, 4, tokens, 64, dtype=torch.bfloat16).requires_grad_() for _ in range(3))
    with DenseAttention():
        dense = F.scaled_dot_product_attention(q, k, v)
    torch.testing.assert_close(dense, F.scaled_dot_product_attention(q, k, v), atol=0.02, rtol=0.02)
    ratios = sorted(seconds(DenseAttention(), q, k, v) / seconds(nullcontext(), q, k, v) for _ in range(ROUNDS))
    print(f"{clips} clips of {tokens} tokens: dense takes {ratios[ROUNDS // 2]:.2f} of the time of the fused kernel")
