"""One attention call, open to questions: any columns, any rows, any sums of its probabilities, exact and in pieces.

Edits of single columns go in here too, so that what is read afterwards is what the edited model did: with weights w
(renormalised) and u (not), P'_ij = u_j w_j P_ij / D_i, D_i = 1 + sum_j (w_j - 1) P_ij. That is a low-rank correction of
the kernel's output: z'_i = (z_i + sum_j (u_j w_j - 1) P_ij v_j) / D_i, identical to dense attention with log w added to
the logits.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cogkit.recording.kernel import AttentionError, Heads, attend

TILE = 2**20  # bytes of probabilities that a CPU's cache holds from the product to the exponential to the sum
SMALL = 0.05  # below this share of a row's mass left, its sums are taken anew instead of by subtraction


@dataclass(frozen=True)
class ColumnEdit:
    """Multiply the probabilities of `columns` by `factor`, in some batch rows, heads (None: all) and queries (all).

    `factor` is a number, or a tensor over all heads, `queries` and `columns`.
    """

    columns: tuple[int, ...]
    factor: float | Float[Tensor, "head Q C"]
    batch: tuple[int, ...]
    renormalise: bool = True
    heads: tuple[int, ...] | None = None
    queries: tuple[int, ...] | None = None


class Pattern:
    """The probabilities of one call. They are computed when asked for; `chunk` bounds an answer's scratch, in bytes.

    Batch rows, heads and tokens are those of q, k, v: text tokens first. Everything is fp32.
    """

    def __init__(self, q: Heads, k: Heads, v: Heads, scale: float | None, chunk: int):
        self.q, self.k, self.v, self.chunk = q, k, v, chunk
        self.scale = q.shape[-1] ** -0.5 if scale is None else scale
        self.z, self.lse = attend(q, k, v, self.scale, chunk)
        self.edits: list[ColumnEdit] = []
        self._kernel_z, self._kernel_lse = self.z, self.lse

    def head_blocks(self, width: int) -> Iterator[slice]:
        """Heads in blocks of which `width` fp32 numbers a head fit into the chunk."""
        size = max(1, self.chunk // (4 * width))
        for first in range(0, self.q.shape[1], size):
            yield slice(first, min(first + size, self.q.shape[1]))

    def query_blocks(self, heads: slice, width: int) -> Iterator[slice]:
        """Queries in blocks of which `width` fp32 numbers a query and head fit into the chunk."""
        tokens, size = self.q.shape[2], max(1, self.chunk // (4 * width * (heads.stop - heads.start)))
        for first in range(0, tokens, size):
            yield slice(first, min(first + size, tokens))

    def columns(self, b: int, heads: slice, queries, columns) -> Float[Tensor, "head Q C"]:
        """P of chosen key columns for chosen queries (slices or index tensors)."""
        raw = self._raw(b, heads, queries, columns)
        return raw.mul_(self._weights(b, heads, queries, columns)) if self.edits else raw

    def columns_onto(
        self, b: int, heads: slice, queries: slice, columns: slice, onto: Float[Tensor, "C word"]
    ) -> Float[Tensor, "head Q word"]:
        """P of the columns, times `onto`. The columns are never whole: some queries at a time are enough."""
        chosen = range(self.q.shape[2])[queries]
        width = len(range(self.q.shape[1])[heads]) * len(onto)
        size = max(1, (min(self.chunk, TILE) if self.q.is_cpu else self.chunk) // (4 * width))
        tiles = (slice(part.start, part.stop) for part in (chosen[k : k + size] for k in range(0, len(chosen), size)))
        return torch.cat([self.columns(b, heads, tile, columns) @ onto for tile in tiles], 1)

    def rows(self, b: int, heads: slice, queries) -> Float[Tensor, "head Q S"]:
        """P of chosen queries over all keys."""
        return self.columns(b, heads, queries, slice(None))

    def group_mass(self, b: int, heads: slice, groups: Float[Tensor, "S group"]) -> Float[Tensor, "head S group"]:
        """P @ groups for all queries, by a second fused call whose values are the group indicators.

        In fp32 also where the model is not: a sum over many keys would be rounded to its three digits.
        """
        d, found = self.v.shape[-1], []
        q, k = self.q[b : b + 1, heads].float(), self.k[b : b + 1, heads].float()
        for part in groups.split(d, dim=1):
            values = F.pad(part, (0, d - part.shape[1])).expand(1, q.shape[1], -1, -1)
            mass = F.scaled_dot_product_attention(q, k, values, scale=self.scale)
            found.append(mass[0, ..., : part.shape[1]])
        mass = torch.cat(found, -1)
        columns = self._edited_columns(b)
        if columns is not None:
            shrink = (self._kernel_lse[b, heads] - self.lse[b, heads]).exp()[..., None]
            for some in self.query_blocks(heads, 4 * len(columns)):
                raw = self._raw(b, heads, some, columns, lse=self._kernel_lse)
                extra = raw * (self._weights(b, heads, some, columns) - 1)
                mass[:, some] = (mass[:, some] + extra @ groups[columns]) * shrink[:, some]
            for head, row in (shrink[..., 0] > 1 / SMALL).nonzero().tolist():
                one = slice(heads.start + head, heads.start + head + 1)
                mass[head, row] = self.rows(b, one, slice(row, row + 1))[0, 0] @ groups
        return mass

    def apply(self, edits: list[ColumnEdit]) -> None:
        """Change z and every later answer, on top of what was changed before."""
        if not edits:
            return
        self.edits, z = [*self.edits, *edits], self._kernel_z
        self.lse, self.z = self._kernel_lse.clone(), torch.empty_like(z).copy_(z)
        for b in range(self.q.shape[0]):
            columns = self._edited_columns(b)
            if columns is None:
                continue
            for heads in self.head_blocks(self.q.shape[2] * 4 * len(columns)):
                for some in self.query_blocks(heads, 4 * len(columns)):
                    self._correct(b, heads, some, columns, z[b, heads, some].float())

    def _correct(self, b: int, heads: slice, some: slice, columns: Tensor, z: Float[Tensor, "head Q d"]) -> None:
        """Put the edited z and LSE of some queries in the place of the kernel's."""
        raw = self._raw(b, heads, some, columns)
        renormalised = self._weights(b, heads, some, columns, only_renormalised=True)
        share = 1 + (raw * (renormalised - 1)).sum(-1)
        moved = z + (raw * (self._weights(b, heads, some, columns) - 1)) @ self.v[b, heads][:, columns].float()
        self.z[b, heads, some] = (moved / share[..., None]).to(self.z.dtype)
        self.lse[b, heads, some] += share.clamp(min=SMALL).log()
        for head in range(heads.start, heads.stop):
            rows = some.start + (share[head - heads.start] < SMALL).nonzero()[:, 0]
            for part in rows.split(max(1, self.chunk // (16 * self.q.shape[2]))):
                self._anew(b, slice(head, head + 1), part)

    def _anew(self, b: int, head: slice, rows: Tensor) -> None:
        """Sum these rows over their keys again: next to nothing of their mass was left to subtract from."""
        if not len(rows):
            return
        logits = (self.q[b, head][:, rows].float() @ self.k[b, head].float().mT) * self.scale
        renormalised = self._weights(b, head, rows, slice(None), only_renormalised=True)
        logits = logits + renormalised.log()
        if logits.isneginf().all(-1).any():
            raise AttentionError(f"head {head.start}: every key of some query is knocked out; leave it one")
        self.lse[b, head, rows] = torch.logsumexp(logits, -1)
        plain = self._weights(b, head, rows, slice(None)) / renormalised.clamp(min=1e-30)
        self.z[b, head, rows] = ((logits.softmax(-1) * plain) @ self.v[b, head].float()).to(self.z.dtype)

    def _raw(self, b: int, heads: slice, queries, columns, lse: Tensor | None = None) -> Float[Tensor, "head Q C"]:
        """exp(scale q k - LSE): the kernel's probabilities, before any weight."""
        lse = self.lse if lse is None else lse
        q, k = self.q[b, heads][:, queries].float(), self.k[b, heads][:, columns].float()
        return torch.baddbmm(-lse[b, heads][:, queries, None], q, k.mT, alpha=self.scale).exp_()

    def _edited_columns(self, b: int) -> Tensor | None:
        found = sorted({column for edit in self.edits if b in edit.batch for column in edit.columns})
        return torch.tensor(found, device=self.q.device) if found else None

    def _weights(self, b: int, heads: slice, queries, columns, only_renormalised: bool = False) -> Tensor | float:
        """The product of all edits' factors, one number or (head, Q, C)."""
        edits = [e for e in self.edits if b in e.batch and (e.renormalise or not only_renormalised)]
        if not edits:
            return torch.ones((), device=self.q.device)
        count, tokens, device = self.q.shape[1], self.q.shape[2], self.q.device
        weights = torch.ones((), device=device)
        for edit in edits:
            here = (
                _chosen(edit.heads, count, device)[heads, None, None]
                & _chosen(edit.queries, tokens, device)[None, queries, None]
            )
            here = here & _chosen(edit.columns, tokens, device)[None, None, columns]
            factor = edit.factor
            if isinstance(factor, Tensor):  # of it, what is asked for; what is not in the edit, `here` takes out
                row, column = _places(edit.queries, tokens, device)[queries], _places(edit.columns, tokens, device)
                factor = factor[heads][:, row][:, :, column[columns]]
            weights = weights * torch.where(here, factor, 1.0)
        return weights


def _chosen(indices: tuple[int, ...] | None, size: int, device) -> Bool[Tensor, " size"]:
    if indices is None:
        return torch.ones(size, dtype=torch.bool, device=device)
    found = torch.zeros(size, dtype=torch.bool, device=device)
    found[list(indices)] = True
    return found


def _places(indices: tuple[int, ...] | None, size: int, device) -> Int[Tensor, " size"]:
    """Where each of `size` tokens stands among `indices`; 0 for those that do not."""
    found = torch.zeros(size, dtype=torch.long, device=device)
    chosen = torch.arange(size) if indices is None else torch.tensor(indices)
    found[chosen] = torch.arange(len(chosen), device=device)
    return found
