import pytest
import torch
import torch.nn.functional as F

from cogkit.recording import kernel
from cogkit.recording.kernel import AttentionError, attend, two_pass


def qkv(dtype=torch.float32, tokens=100):
    torch.manual_seed(1)
    return [torch.randn(2, 3, tokens, 16).to(dtype) for _ in "qkv"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_output_is_the_stock_call_s_to_the_bit_and_the_lse_is_that_of_a_dense_softmax(dtype):
    q, k, v = qkv(dtype)
    z, lse = attend(q, k, v, 0.25, 2**20)
    assert torch.equal(z, F.scaled_dot_product_attention(q, k, v))
    torch.testing.assert_close(lse.double(), torch.logsumexp(q.double() @ k.double().mT / 4, -1), atol=1e-4, rtol=0)


def test_the_two_pass_fallback_gives_the_same_lse_whatever_the_chunk():
    q, k, v = qkv()
    exact = torch.logsumexp(q.double() @ k.double().mT / 4, -1)
    for chunk in (1, 4 * 100 * 7, 2**20):
        torch.testing.assert_close(two_pass(q, k, 0.25, chunk).double(), exact, atol=1e-5, rtol=0)


def test_a_kernel_whose_lse_is_wrong_is_found_out_on_first_use_and_replaced(monkeypatch):
    q, k, v = qkv()

    def base_two(q, k, v, scale):
        z, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, False, scale=scale)
        return "base two", lambda: (z, lse / torch.tensor(2.0).log())

    monkeypatch.setattr(kernel, "fused", base_two)
    z, lse = attend(q, k, v, 0.25, 2**20)
    assert torch.equal(z, F.scaled_dot_product_attention(q, k, v))
    torch.testing.assert_close(lse, two_pass(q, k, 0.25, 2**20))

    monkeypatch.setattr(kernel, "two_pass", lambda *_: lse + 0.01)
    with pytest.raises(AttentionError, match="differs from a dense softmax by more than 0.001"):
        attend(q, k, v, 0.25, 2**20)


def test_kernels_that_pad_their_lse_are_trimmed():
    z, padded = torch.zeros(1, 1, 5, 4), torch.arange(8.0).reshape(1, 1, 8)
    assert kernel._trim((z, padded), 5)[1].tolist() == [[[0, 1, 2, 3, 4]]]
    assert kernel._trim((z, padded[..., None]), 5)[1].shape == (1, 1, 5)
