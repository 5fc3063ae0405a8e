import pytest
import torch

from cogkit.recording.kernel import AttentionError
from cogkit.recording.pattern import SMALL, ColumnEdit, Pattern

CHUNKS = [1, 4 * 40 * 40, 2**26]  # one head at a time, some, all


def qkv(sharp=1.0):
    torch.manual_seed(2)
    return [torch.randn(2, 3, 40, 16) * f for f in (sharp, 1.0, 1.0)]


def dense(q, k, v, edits=()):
    """P and z in float64, by the definition: weights on the exponentials, or on the probabilities."""
    logits, plain = q.double() @ k.double().mT / 4, torch.ones(2, 3, 40, 40, dtype=torch.float64)
    for e in edits:
        weight = torch.ones_like(plain)
        heads, queries = e.heads or range(3), e.queries or range(40)
        for b in e.batch:
            for h in heads:
                for row in queries:
                    weight[b, h, row, list(e.columns)] = e.factor
        if e.renormalise:
            logits = logits + weight.log()
        else:
            plain = plain * weight
    p = logits.softmax(-1) * plain
    return p, p @ v.double()


EDITS = {
    "none": (),
    "knock out": (ColumnEdit((3, 4), 0.0, (1,)),),
    "twice as much": (ColumnEdit((3,), 2.0, (0, 1), heads=(1,)),),
    "in a region": (ColumnEdit((3, 9), 0.0, (1,), queries=tuple(range(10, 20))),),
    "not renormalised": (ColumnEdit((5,), -1.5, (1,), renormalise=False),),
    "several": (
        ColumnEdit((3, 4), 0.5, (0, 1)),
        ColumnEdit((4, 5), 3.0, (1,), heads=(0, 2)),
        ColumnEdit((4,), 0.25, (1,), renormalise=False),
    ),
    "all but one column": (ColumnEdit(tuple(range(39)), 0.0, (0, 1)),),
}


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("edits", EDITS.values(), ids=EDITS)
def test_columns_rows_group_mass_and_output_are_those_of_dense_attention(edits, chunk):
    q, k, v = qkv()
    exact, z = dense(q, k, v, edits)
    pattern = Pattern(q, k, v, None, chunk)
    pattern.apply(list(edits))
    groups = torch.nn.functional.one_hot(torch.arange(40) % 20, 20).float()  # more groups than the heads are wide
    close = {"atol": 2e-6, "rtol": 1e-4}
    for b in (0, 1):
        for heads in pattern.head_blocks(40 * 40):
            columns = pattern.columns(b, heads, slice(10, None), slice(0, 10))
            torch.testing.assert_close(columns.double(), exact[b, heads, 10:, :10], **close)
            onto = torch.rand(10, 4)
            found = pattern.columns_onto(b, heads, slice(10, None), slice(0, 10), onto)
            torch.testing.assert_close(found.double(), exact[b, heads, 10:, :10] @ onto.double(), **close)
            rows = pattern.rows(b, heads, torch.tensor([0, 7, 39]))
            torch.testing.assert_close(rows.double(), exact[b, heads][:, [0, 7, 39]], **close)
            mass = pattern.group_mass(b, heads, groups)
            atol = 2**-22 / SMALL  # what a subtraction in fp32 leaves, where it leaves least
            torch.testing.assert_close(mass.double(), exact[b, heads] @ groups.double(), atol=atol, rtol=1e-4)
    torch.testing.assert_close(pattern.z.double(), z, atol=1e-5, rtol=1e-4)


def test_without_edits_columns_are_within_one_in_ten_million_of_float64():
    q, k, v = qkv()
    found = Pattern(q, k, v, None, 2**26).rows(1, slice(0, 3), slice(None))
    assert (found.double() - dense(q, k, v)[0][1]).abs().max() < 1e-6
    assert (found.sum(-1) - 1).abs().max() < 1e-5


def test_many_columns_are_edited_some_queries_at_a_time(monkeypatch):
    asked, chunk, raw = [], 2**12, Pattern._raw
    monkeypatch.setattr(Pattern, "_raw", lambda *args, **more: asked.append(raw(*args, **more)) or asked[-1])
    pattern = Pattern(*qkv(), None, chunk)
    pattern.apply([ColumnEdit(tuple(range(30)), 0.5, (0, 1))])
    pattern.group_mass(1, slice(0, 1), torch.eye(40))
    assert 4 * max(found.nbytes for found in asked) <= chunk  # it, its weights, and their product twice


@pytest.mark.parametrize("edits", [(), EDITS["twice as much"]], ids=["none", "edited"])
def test_in_half_precision_group_mass_is_that_of_the_rows(edits):
    pattern = Pattern(*(x.bfloat16() for x in qkv()), None, 2**26)
    pattern.apply(list(edits))
    groups = torch.nn.functional.one_hot(torch.arange(40) % 3, 3).float()
    mass, rows = pattern.group_mass(1, slice(0, 3), groups), pattern.rows(1, slice(0, 3), slice(None))
    torch.testing.assert_close(mass, rows @ groups, atol=1e-5, rtol=1e-4)


def test_knocking_out_every_key_is_refused():
    pattern = Pattern(*qkv(), None, 2**26)
    with pytest.raises(AttentionError, match="every key of some query is knocked out"):
        pattern.apply([ColumnEdit(tuple(range(40)), 0.0, (0,))])


def test_a_word_that_holds_nearly_all_of_a_row_can_be_knocked_out_exactly():
    """The mass left is far below what a subtraction in fp32 could tell."""
    q, k, v = qkv(sharp=12.0)
    edit = ColumnEdit(tuple(range(20)), 0.0, (0, 1))
    exact, z = dense(q, k, v, [edit])
    pattern = Pattern(q, k, v, None, 2**26)
    left = pattern.rows(0, slice(0, 3), slice(None))[..., 20:].sum(-1)
    assert left.min() < 1e-7  # the case is there
    pattern.apply([edit])
    torch.testing.assert_close(pattern.z.double(), z, atol=1e-4, rtol=1e-3)
    found = pattern.rows(0, slice(0, 3), slice(None))
    torch.testing.assert_close(found.double(), exact[0], atol=1e-4, rtol=1e-3)
    assert (found.sum(-1) - 1).abs().max() < 1e-4
