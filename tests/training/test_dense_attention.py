import pytest
import torch
import torch.nn.functional as F

from cogkit.training.dense_attention import DenseAttention


def test_dense_attention_gives_the_numbers_and_gradients_of_the_fused_kernel():
    q, k, v = (torch.randn(2, 4, 37, 16).requires_grad_() for _ in range(3))
    fused = F.scaled_dot_product_attention(q, k, v)
    with DenseAttention():
        dense = F.scaled_dot_product_attention(q, k, v)
    torch.testing.assert_close(dense, fused, atol=1e-6, rtol=1e-5)
    weight = torch.randn_like(fused)
    for got, wanted in zip(
        *(torch.autograd.grad((out * weight).sum(), (q, k, v)) for out in (dense, fused)), strict=True
    ):
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)


def test_a_mask_is_refused_instead_of_forgotten():
    q = torch.randn(1, 1, 4, 8)
    with DenseAttention(), pytest.raises(NotImplementedError, match="no mask"):
        F.scaled_dot_product_attention(q, q, q, attn_mask=torch.zeros(4, 4))
