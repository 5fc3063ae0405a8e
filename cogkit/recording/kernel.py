"""Fused attention that also tells its log-sum-exp (LSE), from which any probability follows without an S x S matrix.

P[i, j] = exp(scale q_i . k_j - LSE_i). On a CPU, `scaled_dot_product_attention` returns the first half of exactly the
operator called here; on CUDA each fused kernel has such an operator too. Where none can be had, or where it fails the
check of its first use, the LSE is summed up in a second, chunked pass and the output is the stock call's own.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend

Heads = Float[Tensor, "b head S d"]
LSE = Float[Tensor, "b head S"]
TOLERANCE = 1e-3  # natural log; a wrong base, scale or layout is off by far more
_trusted: dict[tuple, bool] = {}  # (device, dtype, head width, kernel) -> did the first use agree?


class AttentionError(ValueError):
    """An attention call whose probabilities cannot be had exactly."""


def attend(q: Heads, k: Heads, v: Heads, scale: float, chunk: int) -> tuple[Heads, LSE]:
    """Softmax attention, bit for bit what the stock call returns, and the natural log of every row's normaliser."""
    name, kernel = fused(q, k, v, scale)
    key = (q.device.type, q.dtype, q.shape[-1], name)
    if kernel is not None and key not in _trusted:
        few = [x[-1:, [0, -1]] if x.is_cpu else x for x in (q, k, v)]  # on a CPU no head knows of another
        z, lse = fused(*few, scale)[1]()
        _trusted[key] = torch.equal(z, stock(*few, scale)) and _agrees(*few[:2], lse, scale)
    if kernel is not None and _trusted[key]:
        return kernel()
    lse = two_pass(q, k, scale, chunk)
    if not _agrees(q, k, lse, scale):
        raise AttentionError(f"the log-sum-exp of {key} differs from a dense softmax by more than {TOLERANCE}")
    return stock(q, k, v, scale), lse


def stock(q: Heads, k: Heads, v: Heads, scale: float) -> Heads:
    return F.scaled_dot_product_attention(q, k, v, scale=scale)


def fused(q: Heads, k: Heads, v: Heads, scale: float) -> tuple[str, Callable | None]:
    """The operator that the stock call would take here, as a call that also returns the LSE."""
    aten, tokens = torch.ops.aten, q.shape[2]
    choice = torch._fused_sdp_choice(q, k, v, None, 0.0, False, scale=scale)
    if q.device.type == "cpu" and choice == SDPBackend.FLASH_ATTENTION.value:
        op = aten._scaled_dot_product_flash_attention_for_cpu
        return "flash", lambda: op(q, k, v, 0.0, False, scale=scale)
    if q.device.type == "cuda" and choice == SDPBackend.FLASH_ATTENTION.value and q.shape[-1] % 8 == 0:
        op = aten._scaled_dot_product_flash_attention
        return "flash", lambda: _trim(op(q, k, v, 0.0, False, False, scale=scale), tokens)
    if q.device.type == "cuda" and choice == SDPBackend.EFFICIENT_ATTENTION.value:
        op = aten._scaled_dot_product_efficient_attention
        return "efficient", lambda: _trim(op(q, k, v, None, True, 0.0, False, scale=scale), tokens)
    if q.device.type == "cuda" and choice == SDPBackend.CUDNN_ATTENTION.value:
        op = aten._scaled_dot_product_cudnn_attention
        return "cudnn", lambda: _trim(op(q, k, v, None, True, 0.0, False, False, scale=scale), tokens)
    return "none", None


def _trim(found: tuple, tokens: int) -> tuple[Heads, LSE]:
    """Some kernels pad the LSE along the tokens, some give it a last axis of one."""
    z, lse = found[0], found[1]
    return z, (lse.squeeze(-1) if lse.dim() == 4 else lse)[..., :tokens]


def two_pass(q: Heads, k: Heads, scale: float, chunk: int) -> LSE:
    """The LSE from scores in fp32, at most `chunk` bytes of them at a time. Costs half of the attention again."""
    lse = torch.empty(q.shape[:3], dtype=torch.float32, device=q.device)
    rows = max(1, chunk // (4 * k.shape[2]))
    for b in range(q.shape[0]):
        for head in range(q.shape[1]):
            keys = k[b, head].float().mT * scale
            for first in range(0, q.shape[2], rows):
                part = slice(first, first + rows)
                lse[b, head, part] = torch.logsumexp(q[b, head, part].float() @ keys, -1)
    return lse


def _agrees(q: Heads, k: Heads, lse: LSE, scale: float) -> bool:
    """Sixteen rows, spread over the tokens, of the first and last head, against scores in float64."""
    rows = torch.linspace(0, q.shape[2] - 1, 16, device=q.device).long()
    for head in {0, q.shape[1] - 1}:
        exact = torch.logsumexp(q[-1, head, rows].double() @ k[-1, head].double().mT * scale, -1)
        if not (lse[-1, head, rows] - exact).abs().max() < TOLERANCE:
            return False
    return True
