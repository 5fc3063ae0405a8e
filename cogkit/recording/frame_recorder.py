"""How much attention each frame pays to each frame, per head, summed by the fused kernel itself."""

from collections.abc import Iterator

import torch

from cogkit.recording.layout import Anatomy, Layout
from cogkit.recording.map_recorder import MapRecorder, scratch
from cogkit.recording.pattern import Pattern
from cogkit.recording.tokens import GROUPS


class FrameToFrame(MapRecorder):
    """Mass from the queries of one latent frame (their mean) to the keys of another, and to each kind of text.

    A second attention call whose values are indicators of the groups: exact for all queries, at the price of one more
    attention.
    """

    def __init__(self, selector, layout: Layout, anatomy: Anatomy):
        super().__init__(selector, layout, anatomy)
        frames = list(range(layout.frames))
        axes = {"frame": layout.frames, "key_frame": layout.frames}
        labels = {"frame": frames, "key_frame": frames, "group": list(GROUPS)}
        self.slabs = [
            self.slab("mass", axes, labels, "float32"),
            self.slab("text_mass", {"frame": layout.frames, "group": len(GROUPS)}, labels, "float32"),
        ]
        passes = -(-(layout.frames + len(GROUPS)) // anatomy.head_width)
        self.work = 4 * self.calls * len(self.heads) * passes * layout.tokens**2 * anatomy.head_width
        self.width = layout.tokens * (3 * anatomy.head_width + 2 * (layout.frames + len(GROUPS)))  # q and k in fp32 too
        indicators = 4 * layout.tokens * anatomy.head_width
        self.scratch = indicators + scratch(selector.chunk, self.width, anatomy.heads)

    def groups(self, row: int, device) -> torch.Tensor:
        """(S, frames + kinds of text): which token belongs to which."""
        layout = self.layout
        frame = torch.arange(layout.video, device=device) // (layout.height * layout.width)
        matrix = torch.zeros(layout.tokens, layout.frames + len(GROUPS), device=device)
        matrix[torch.arange(layout.text, layout.tokens, device=device), frame] = 1
        for place, slots in enumerate(self.group_slots(row), layout.frames):
            matrix[slots or [], place] = 1
        return matrix

    def read(self, kind: str, layer: int | None, pattern: Pattern, step: int) -> Iterator:
        layout, found = self.layout, []
        for row in self.rows:
            groups = self.groups(row, pattern.q.device)

            def ask(heads, row=row, groups=groups):
                mass = pattern.group_mass(row, heads, groups)[:, layout.text :]
                return mass.unflatten(1, (layout.frames, -1)).mean(2)

            mass = self.over_heads(pattern, row, self.width, ask)
            if self.group_slots(row)[0] is None:  # only embeddings were given
                mass[..., layout.frames :] = torch.nan
            found.append(mass)
        found = self.stacked(found)
        yield self.slabs[0], found[..., : layout.frames]
        yield self.slabs[1], found[..., layout.frames :]
