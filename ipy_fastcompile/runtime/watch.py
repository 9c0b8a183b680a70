"""tensors that were bound + where a module keeps them -> whether it still keeps the same ones.

What a module holds changes behind a loaded function: `load_state_dict(assign=True)`, an assignment,
a new submodule, ``.data =``, ``.half()``. Each call asks first, at the speed of C: are the modules
on the way the same, and is at each place a tensor of the same type, dtype, sizes and strides, at
the same address? The answer costs a quarter of a microsecond a tensor.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from operator import getitem, is_
from typing import Any

import torch

from ..torch_compat import tensor_kinds
from . import plain
from .parameters import Found, Lookup
from .places import Place

_address = torch.Tensor.data_ptr


class Watch:
    """What is bound, and where it came from. It does not keep the module alive.

    When the module is gone, what was bound stays as it was.
    """

    def __init__(self, lookup: Lookup, found: Found) -> None:
        self._bound = found.tensors
        self._addresses = list(map(_address, self._bound))
        self._module: Callable[[], Any] | None = None
        self._guards: dict[bool, Callable[..., bool]] = {}
        self._holders: list[dict[str, Any]] = []
        self._keys: list[str] = []
        self._aliases: list[torch.Tensor] = []
        self._tables: list[dict[str, Any]] = []
        self._copies: list[dict[str, Any]] = []
        self._same_holders: list[dict[str, Any]] = []
        self._same_keys: list[str] = []
        self._same: list[Any] = []
        self._watched: list[int] = []
        self._attributes: list[tuple[Any, str, Any, torch.Tensor | None]] = []
        if lookup.root is None:
            return
        self._follow_steps(lookup.places.steps)
        self._attributes += [(*step, None) for step in lookup.places.attributes]
        own = self._add(found.places)
        # A tie that is a tensor of its own is at a place behind those that the guard is over.
        guard = found.guard
        self._guards[torch.is_inference_mode_enabled()] = (
            guard.holds
            if guard is not None and guard.size == len(own)
            else tensor_kinds.metadata_guard(own)
        )
        self._follow(lookup.root)

    def _follow_steps(self, steps: Sequence[tuple[dict[str, Any], str, Any]]) -> None:
        """Compare whole dicts of submodules, at once; one by one where a class defines ``==``."""
        seen: set[int] = set()
        kinds: set[type] = set()  # classes with the equality of all objects
        for holder, key, module in steps:
            if id(holder) in seen:
                continue
            found = set(map(type, holder.values()))
            if found <= kinds or all(map(_plain_equality, found)):
                kinds |= found
                seen.add(id(holder))
                self._tables.append(holder)
                self._copies.append(dict(holder))
            else:
                self._expect(holder, key, module)

    def _expect(self, holder: dict[str, Any], key: str, value: Any) -> None:
        self._same_holders.append(holder)
        self._same_keys.append(key)
        self._same.append(value)

    def _add(self, places: Sequence[Place | None]) -> list[Any]:
        """Note where each tensor is; returns the module's own. One loop, for every load has it."""
        originals: dict[int, Any] = {}
        holders, keys, aliases, watched = self._holders, self._keys, self._aliases, self._watched
        for alias, address, place in zip(self._bound, self._addresses, places, strict=True):
            if place is None:
                continue
            holder, key, owner, tensor = place
            if holder is None:
                self._attributes.append((owner, key, tensor, alias))
            elif id(tensor) in originals:  # tied: it is compared under its first name
                self._expect(holder, key, tensor)
            else:
                originals[id(tensor)] = tensor
                holders.append(holder)
                keys.append(key)
                aliases.append(alias)
                watched.append(address)
        return list(originals.values())

    def _follow(self, module: Any) -> None:
        # The dicts would keep what is in them alive, in a module that nobody has any more.
        lists: tuple[list[Any], ...] = (
            self._holders, self._tables, self._copies, self._same_holders, self._same,
            self._attributes,
        )  # fmt: skip

        def forget(_: Any) -> None:
            for each in lists:
                each.clear()

        self._module = weakref.ref(module, forget)

    def holds(self) -> bool:
        """Whether the module still has, and has in memory, what was bound."""
        module = None if self._module is None else self._module()
        if module is None:
            return list(map(_address, self._bound)) == self._addresses
        try:
            if self._tables != self._copies or not all(
                map(is_, map(getitem, self._same_holders, self._same_keys), self._same)
            ):
                return False
            found = list(map(getitem, self._holders, self._keys))
        except KeyError:
            return False
        guard = self._guards.get(torch.is_inference_mode_enabled()) or self._guard(found)
        return (
            guard is not None
            and guard(*found)
            and list(map(_address, found)) == self._watched
            and (not self._attributes or self._attributes_hold())
        )

    def _guard(self, found: Sequence[Any]) -> Callable[..., bool] | None:
        """A guard on tensors like these, None where one is not like what was bound."""
        if not all(map(_is_alike, found, self._aliases)):
            return None
        guard = tensor_kinds.metadata_guard(found)
        self._guards[torch.is_inference_mode_enabled()] = guard
        return guard

    def _attributes_hold(self) -> bool:
        """The same for steps and tensors that are plain attributes, which are rare."""
        for owner, key, value, alias in self._attributes:
            found = getattr(owner, key, None)
            if found is not value or (alias is not None and not _is_in_place(found, alias)):
                return False
        return True


def _is_alike(tensor: Any, bound: torch.Tensor) -> bool:
    return (
        isinstance(tensor, torch.Tensor)
        and (plain.is_plain(tensor) or plain.find_flaw(tensor) is None)
        and tensor.dtype is bound.dtype
        and tensor.device == bound.device
        and tensor.shape == bound.shape
        and tensor.stride() == bound.stride()
    )


def _is_in_place(tensor: Any, bound: torch.Tensor) -> bool:
    return _is_alike(tensor, bound) and _address(tensor) == _address(bound)


def _plain_equality(kind: Any) -> bool:
    """Whether ``==`` of a class's objects is that of all objects: the same one."""
    return kind.__eq__ is object.__eq__
