"""A label for a function: another one as soon as it might do something else, so that no log takes two for one."""

from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha1
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType, NoneType

import numpy as np
import torch

PLAIN = (int, float, complex, str, bytes, bool, NoneType, slice, range, type(...), np.generic, np.ufunc, torch.dtype)

UNTOLD = "?"


class _Untold(Exception):
    pass


def label_of(function: Callable) -> str | None:
    """Of its code, its defaults, and the values that it closes over or finds in its own file, as they are now.

    None if one of those is neither a number, a string, an array, a function nor made of such.
    """
    try:
        return sha1(b"\0".join(_parts(function, []))).hexdigest()[:8]
    except _Untold:
        return None


def _parts(thing, seen: list[FunctionType]) -> Iterator[bytes]:
    """`seen`: functions that the label has already; globals are looked up in the file of the first alone."""
    yield type(thing).__name__.encode()
    if isinstance(thing, PLAIN):
        yield repr(thing).encode()
    elif isinstance(thing, torch.Tensor):
        yield repr((thing.dtype, thing.shape)).encode()
        yield thing.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes()
    elif isinstance(thing, np.ndarray) and not thing.dtype.hasobject:
        yield repr((thing.dtype, thing.shape)).encode() + thing.tobytes()
    elif isinstance(thing, ModuleType):
        yield thing.__name__.encode()
    elif isinstance(thing, type) or (isinstance(thing, BuiltinFunctionType) and not _owner(thing)):
        yield f"{thing.__module__}.{thing.__qualname__}".encode()
    elif isinstance(thing, FunctionType):
        if thing in seen:
            yield str(seen.index(thing)).encode()
            return
        seen.append(thing)
        known = thing.__globals__ if thing.__globals__ is seen[0].__globals__ else {}
        cells = [cell.cell_contents for cell in thing.__closure__ or ()]
        found = {name: known[name] for name in sorted(_names(thing.__code__)) if name in known}
        yield from _parts([thing.__code__, thing.__defaults__, thing.__kwdefaults__, cells, found], seen)
    else:
        for part in _inside(thing):
            yield from _parts(part, seen)


def _inside(thing) -> list:
    """What it is made of. Raises _Untold for what is more than the sum of it."""
    if isinstance(thing, list | tuple):
        return [len(thing), *thing]
    if isinstance(thing, dict):
        return [len(thing), *(part for item in thing.items() for part in item)]
    if isinstance(thing, set | frozenset):
        return sorted(map(repr, thing))
    if isinstance(thing, CodeType):
        return [thing.co_code, thing.co_names, thing.co_consts]
    if isinstance(thing, partial):
        return [thing.func, thing.args, thing.keywords]
    if isinstance(thing, MethodType):
        return [thing.__func__, thing.__self__]
    raise _Untold


def _names(code: CodeType) -> set[str]:
    """Names that it looks up, and the functions within it."""
    return set(code.co_names).union(*(_names(const) for const in code.co_consts if isinstance(const, CodeType)))


def _owner(builtin: BuiltinFunctionType):
    """The object of a bound method of a built-in type, such as `[].append`."""
    owner = getattr(builtin, "__self__", None)
    return None if isinstance(owner, ModuleType) else owner
