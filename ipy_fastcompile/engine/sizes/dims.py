"""the wishes for dimensions -> one `torch.export.Dim` a name; what cannot be is refused."""

from __future__ import annotations

from typing import Any

import torch

from ...errors import CallError


class Dims:
    """Every name that dimensions were given, with its range and the size of the example."""

    def __init__(self) -> None:
        self._ranges: dict[str, tuple[int | None, int | None]] = {}
        self._sizes: dict[str, tuple[int, str]] = {}
        self._made: dict[str, Any] = {}

    def add(self, where: str, size: int, wish: Any) -> None:
        """Note what is wanted of a dimension of this size.

        Raises CallError for what is no dimension, a range that the example is outside of, another
        range or size than the same name has elsewhere, and an example of 0 or 1.
        """
        if wish is None or (type(wish) is int and wish == size) or wish is _STATIC:
            return
        if isinstance(wish, int):
            raise CallError(
                f"dynamic gives {where} the size {wish!r}, and the example has {size}.",
                'Write a name for a dimension that varies, for instance "batch".',
            )
        if _is_dim(wish) or _is_hint(wish):
            name = getattr(wish, "__name__", "")
            low, high = _bound(wish, "min"), _bound(wish, "max")
        else:
            name, low, high = _read(where, wish)
        if size < 2:
            raise CallError(
                f"The example of {where} has the size {size}, from which nothing can be told "
                "about other sizes: torch.export makes 0 and 1 constants.",
                f"Give an example with 2 or more at {where}; the compiled function takes 1, too, "
                "where the model allows it.",
                argument=where.rpartition(":")[0],
            )
        self._check_range(where, size, name, low, high)
        if name and not _is_derived(wish):
            self._merge(where, size, name, (low, high))
            if _is_dim(wish):
                self._made.setdefault(name, wish)

    def get(self, wish: Any) -> Any:
        """What torch.export is told: the `Dim` of a name; anything else as it is."""
        if not isinstance(wish, (str, tuple, list)):
            return wish
        name = wish if isinstance(wish, str) else wish[0]
        if name not in self._made:
            low, high = self._ranges[name]
            bounds = {k: v for k, v in (("min", low), ("max", high)) if v is not None}
            self._made[name] = torch.export.Dim(name, **bounds)
        return self._made[name]

    def _check_range(self, where: str, size: int, name: str, low: Any, high: Any) -> None:
        if low is not None and high is not None and low > high:
            raise CallError(
                f"dynamic gives {name} the range [{low}, {high}] at {where}: its least is more "
                "than its most.",
                'Write (name, least, most), for instance ("seq", 2, 512).',
            )
        if (low is not None and size < low) or (high is not None and size > high):
            raise CallError(
                f"dynamic gives {name} the range [{low}, {high}], and the example has {size} "
                f"at {where}.".replace("[None", "[0").replace("None]", "inf]"),
                "Widen the range or change the example.",
            )

    def _merge(self, where: str, size: int, name: str, found: tuple[Any, Any]) -> None:
        known = self._ranges.get(name, (None, None))
        merged = []
        for word, a, b in zip(("least", "most"), known, found, strict=True):
            if a is not None and b is not None and a != b:
                raise CallError(
                    f"dynamic gives {name} two ranges, with {a} and {b} for its {word}, the second "
                    f"at {where}.",
                    "Give it once, or use another name.",
                )
            merged.append(b if a is None else a)
        self._ranges[name] = (merged[0], merged[1])
        other, first = self._sizes.setdefault(name, (size, where))
        if other != size:
            raise CallError(
                f"dynamic calls two sizes {name}: the example has {other} at {first} and {size} "
                f"at {where}.",
                "Equal names mean equal sizes: use another name, or change the example.",
            )


_STATIC = torch.export.Dim.STATIC


def _is_hint(wish: Any) -> bool:
    return isinstance(wish, type(_STATIC))


def _is_dim(wish: Any) -> bool:
    return isinstance(getattr(wish, "__name__", None), str) and hasattr(wish, "min")


def _is_derived(wish: Any) -> bool:
    return hasattr(wish, "root")


def _bound(wish: Any, name: str) -> int | None:
    """A bound of a `Dim`; the ones that it has without being told do not count."""
    value = getattr(wish, name, None)
    if not isinstance(value, int) or (name == "min" and value == 0) or value >= 2**62:
        return None
    return value


def _read(where: str, wish: Any) -> tuple[str, int | None, int | None]:
    """Name, least and most, of ``"name"`` or ``(name, least, most)``."""
    name, low, high = wish, None, None
    if isinstance(wish, (tuple, list)):
        if len(wish) != 3:
            raise CallError(
                f"dynamic has {wish!r:.60} at {where}, which is not (name, least, most).",
                'Write ("seq", 2, 512); None stands for no limit.',
            )
        name, low, high = wish
    if not isinstance(name, str) or not name.isidentifier():
        raise CallError(
            f"dynamic names the dimension at {where} {name!r:.60}, which is not an identifier.",
            'Use a word such as "seq".',
        )
    for limit in (low, high):
        if limit is not None and (type(limit) is not int or limit < 0):
            raise CallError(
                f"dynamic gives {name} at {where} the limit {limit!r:.40}, which is no size.",
                'Write whole numbers, for instance ("seq", 2, 512); None stands for no limit.',
            )
    return name, low, high
