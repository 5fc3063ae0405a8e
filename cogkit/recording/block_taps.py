"""The hooks of one transformer block. They hold on to module paths, so stock blocks and readable twins are the same."""

import functools
from collections.abc import Callable

import torch

from cogkit.recording.attention_tap import AttentionTap
from cogkit.recording.visitor import RecordError

CHUNKS = [f"{part}.{stream}" for stream in ("video", "text") for part in ("shift", "scale", "gate")]


def refuse_compiled(transformer: torch.nn.Module) -> None:
    """Raises RecordError: hooks that are laid after the compilation are left out without a word."""
    for name, module in transformer.named_modules():
        forward = hasattr(module.forward, "_torchdynamo_orig_callable")
        if forward or hasattr(module, "_orig_mod") or module._compiled_call_impl is not None:
            what = f"{name or 'the transformer'} is compiled"
            raise RecordError(f"{what}: its inside has no hook points; use it before torch.compile")


def tap_block(board, layer: int, block: torch.nn.Module, kinds: frozenset[str]) -> list[Callable[[], None]]:
    """Lay the hooks that `kinds` ask for, and the one that notices attention; returns how to take them up again.

    Convention: modules speak (video, text); joint sequences are text first.
    """
    taps = BlockTaps(board, layer)
    handles = [
        block.attn1.register_forward_pre_hook(taps.attention_begins),
        block.attn1.register_forward_hook(taps.attention_ends, always_call=True),
    ]

    def asked(*stems: str) -> bool:
        return any(kind.startswith(stem) for kind in kinds for stem in stems)

    if asked("resid_pre."):
        handles.append(block.register_forward_pre_hook(taps.block_begins, with_kwargs=True))
    for number, out in ((1, "attn_out_gated."), (2, "mlp_out_gated.")):
        if asked(f"adaln{number}.", out):
            linear = getattr(block, f"norm{number}").linear
            handles.append(linear.register_forward_hook(lambda m, i, o, n=number: taps.modulated(n, o)))
    if asked("attn_out"):
        handles.append(block.attn1.register_forward_hook(taps.attention_out))
    if asked("resid_mid.", "attn_out_gated."):
        handles.append(block.norm2.register_forward_pre_hook(taps.middle))
    if asked("mlp_out"):
        handles.append(block.ff.register_forward_hook(taps.mlp_out))
    if asked("resid_post.", "resid_mid.", "attn_out_gated.", "mlp_out_gated."):
        handles.append(block.register_forward_hook(taps.block_ends))
    return [handle.remove for handle in handles]


class BlockTaps:
    def __init__(self, board, layer: int):
        self.board, self.layer = board, layer
        self.gates: dict[tuple[int, str], torch.Tensor] = {}  # (norm, stream)
        self.moved = [None, None]  # what edits inside of the block added to the residual (video, text)

    def send(self, kind: str, value):
        return self.board.send(kind, self.layer, value)

    def pair(self, stem: str, video, text):
        """Past the visitors; None when nobody edited either."""
        new = self.send(f"{stem}.video", video), self.send(f"{stem}.text", text)
        return None if new[0] is video and new[1] is text else new

    def block_begins(self, module, args, kwargs):
        named = "hidden_states" in kwargs
        names = ("hidden_states", "encoder_hidden_states")
        new = self.pair("resid_pre", *(kwargs[name] for name in names) if named else args[:2])
        if new is None:
            return None
        return (args, kwargs | dict(zip(names, new, strict=True))) if named else ((*new, *args[2:]), kwargs)

    def modulated(self, number: int, out):
        parts = out.chunk(6, dim=-1)
        new = [self.send(f"adaln{number}.{name}", part) for name, part in zip(CHUNKS, parts, strict=True)]
        self.gates = self.gates | {(number, "video"): new[2][:, None], (number, "text"): new[5][:, None]}
        return None if all(a is b for a, b in zip(new, parts, strict=True)) else torch.cat(new, dim=-1)

    def attention_begins(self, module, args):
        self.moved = [None, None]
        self.board.modes.append(AttentionTap(self.board, self.layer))
        self.board.modes[-1].__enter__()

    def attention_ends(self, module, args, out):
        self.board.leave_attention()

    def attention_out(self, module, args, out):
        new = self.pair("attn_out", *out)
        self.gated(1, "attn_out_gated", *(new or out))
        return new

    def middle(self, module, args):
        # norm2 gets the edited stream here; the stream itself runs past norm2, and gets the difference at the end
        now = self.shifted(args[:2])
        new = self.pair("resid_mid", *now) or now
        self.moved = [None if b is a else b - a for a, b in zip(args[:2], new, strict=True)]
        return None if all(more is None for more in self.moved) else (*new, *args[2:])

    def mlp_out(self, module, args, out):
        split = self.board.layout.text
        text, video = out[:, :split], out[:, split:]
        new = self.pair("mlp_out", video, text)
        self.gated(2, "mlp_out_gated", *(new or (video, text)))
        return new and joined(text, video, *new[::-1])

    def gated(self, number: int, stem: str, video, text) -> None:
        """gate x out is made inside of the block; what an edit of it changes is added to the residual."""
        for place, (stream, value) in enumerate((("video", video), ("text", text))):
            if self.board.wanted(f"{stem}.{stream}", self.layer):
                now = self.gates[number, stream] * value
                new = self.send(f"{stem}.{stream}", now)
                if new is not now:
                    before = self.moved[place]
                    self.moved[place] = new - now if before is None else before + (new - now)

    def shifted(self, streams) -> tuple:
        return tuple(s if more is None else s + more for s, more in zip(streams, self.moved, strict=True))

    def block_ends(self, module, args, out):
        now = self.shifted(out)
        self.moved = [None, None]  # of this step: in the next one a cache may skip the block, and end it all the same
        new = self.pair("resid_post", *now)
        return new or (None if now[0] is out[0] and now[1] is out[1] else now)


def joined(text, video, new_text, new_video):
    """The joint sequence of two edited streams; None when neither was."""
    return None if new_text is text and new_video is video else torch.cat([new_text, new_video], dim=1)


def wrap(owner, name: str, around):
    """Put `around(original, *args, **kwargs)` in the place of a method of this one object; returns the undoing."""
    original, mine = getattr(owner, name), name in vars(owner)

    @functools.wraps(original)
    def wrapped(*args, **kwargs):
        return around(original, *args, **kwargs)

    setattr(owner, name, wrapped)
    return lambda: setattr(owner, name, original) if mine else delattr(owner, name)
