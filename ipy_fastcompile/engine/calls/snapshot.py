"""objects -> all that they reach, kept without a copy of any tensor; what changed; put back.

Tensors count by identity: a capture runs on fake ones, so it replaces what an attribute holds and
never writes into it.
"""

from __future__ import annotations

import collections
import types
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ...frozen import frozen
from .holder import MISSING, Holder
from .holders import PLAIN, look_into
from .iterators import Spare, spared

# Enough for a model of a thousand layers; what is beyond is most likely data.
_MOST = 500_000


@frozen
class Change:
    """A place that holds something else than before: ``M.calls``, ``0``, ``1``."""

    where: str
    before: str
    after: str
    is_draw: bool = False  # of a generator of random numbers

    def __str__(self) -> str:
        return f"{self.where} ({self.before}, then {self.after})"


@frozen
class Snapshot:
    """What was held.

    ``modules`` are the torch modules found that are in no other one, ``tensors`` all tensors but
    parameters: buffers, and those that attributes, containers and closures hold.
    """

    holders: tuple[Holder, ...]
    modules: tuple[torch.nn.Module, ...]
    tensors: tuple[torch.Tensor, ...]


def take_snapshot(roots: Mapping[str, Any]) -> Snapshot:
    """Keep what ``roots`` (name -> object) and everything that they reach hold now."""
    holders: list[Holder] = []
    modules: list[torch.nn.Module] = []
    tensors: list[torch.Tensor] = []
    seen: dict[int, Any] = {}  # the objects as well, so that an id stays theirs
    queue = collections.deque(roots.items())
    while queue and len(seen) < _MOST:
        where, value = queue.popleft()
        if id(value) in seen or isinstance(value, (*PLAIN, torch.nn.Parameter)):
            continue
        seen[id(value)] = value
        if isinstance(value, torch.Tensor):
            tensors.append(value)
            continue
        if isinstance(value, torch.nn.Module):
            modules.append(value)
        found, inner = look_into(where, value)
        holders += found
        queue.extend(inner)
    children = {id(child) for module in modules for child in module.children()}
    outer = tuple(m for m in modules if id(m) not in children)
    return Snapshot(tuple(holders), outer, tuple(tensors))


def restore(snapshot: Snapshot) -> None:
    """Put back everything that is not the same object as before."""
    for holder in snapshot.holders:
        now = holder.read()
        if list(now) != list(holder.held) or any(
            not _is_kept(now[key], value) for key, value in holder.held.items()
        ):
            holder.restore()


def spare_iterators(snapshot: Snapshot) -> tuple[Spare, ...]:
    """Put spares in the places of iterators, wherever they are held; `restore` takes them back."""
    spares: dict[int, Spare] = {}
    for holder in snapshot.holders:
        items = {key: spared(v, holder.name(key), spares) for key, v in holder.held.items()}
        if any(items[key] is not value for key, value in holder.held.items()):
            holder.write(items)
    return tuple(spares.values())


def changes_since(snapshot: Snapshot) -> tuple[Change, ...]:
    """What is different from what was kept, each place once."""
    found = (change for holder in snapshot.holders for change in _changes(holder))
    return tuple(dict.fromkeys(found))


def _changes(holder: Holder) -> Iterator[Change]:
    now = holder.read()
    for key in dict.fromkeys((*holder.held, *now)):
        before, after = holder.held.get(key, MISSING), now.get(key, MISSING)
        if holder.tells(key) and not _equal(before, after):
            told = _describe(before), _describe(after)
            yield Change(holder.name(key), *told, is_draw=holder.is_generator)


def _is_kept(now: Any, before: Any) -> bool:
    return now is before or (type(now) is type(before) and _is_plain(now) and now == before)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (*PLAIN, set, frozenset, types.MethodType)) or (
        type(value) is tuple and all(map(_is_plain, value))
    )


def _equal(one: Any, other: Any, depth: int = 4) -> bool:
    """Whether two values mean the same: a new container of the same items does."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if _is_plain(one):
        return bool(one == other)
    if not depth:
        return False
    if isinstance(one, (list, tuple, collections.deque)):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(_equal(a, b, depth - 1) for a, b in pairs)
    if isinstance(one, dict):
        same = all(key in other and _equal(v, other[key], depth - 1) for key, v in one.items())
        return same and len(one) == len(other)
    return False


def _describe(value: Any) -> str:
    if value is MISSING:
        return "nothing"
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {list(value.shape)}"
    if isinstance(value, (list, tuple, dict, set, collections.deque)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{value!r:.40}" if isinstance(value, PLAIN) else f"a {value.__class__.__name__}"
