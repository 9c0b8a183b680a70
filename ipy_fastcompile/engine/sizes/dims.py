"""the wishes for sizes -> a name for each, and one `torch.export.Dim` a name."""

from __future__ import annotations

import re
from typing import Any

import torch

from ...errors import CallError
from .hints import is_derived, is_dim, is_hint, root_of
from .size_names import dimension_word
from .wishes import Wish


class Dims:
    """Every name that sizes were given, with its range and the size of the example."""

    def __init__(self) -> None:
        self._ranges: dict[str, tuple[int | None, int | None]] = {}
        self._sizes: dict[str, tuple[int, str]] = {}
        self._made: dict[str, Any] = {}
        self._auto: dict[tuple[str, int | None, str, int], str] = {}

    def add(self, wish: Wish) -> Any:
        """Note what is wanted of a size, and give it with a name: what `get` takes.

        Raises CallError for what is no size, a range that the example is outside of, another
        range or size than the same name has elsewhere, and a dimension of 0 or 1 in the example.
        """
        where, size, value = wish.where, wish.size, wish.value
        if isinstance(value, int):
            raise CallError(
                f"dynamic gives {where} the size {value!r}, and the example has {size}.",
                'Write a name for a dimension that varies, for instance "batch".',
            )
        if is_hint(value) or value == "auto":
            value = (self._auto_name(wish), _bound(value, "min"), _bound(value, "max"))
        elif wish.many:
            value = self._apart(value, size)
        if is_dim(value):
            name, low, high = value.__name__, _bound(value, "min"), _bound(value, "max")
        else:
            name, low, high = _read(where, value)
        if size < 2 and wish.dim is not None:
            raise CallError(
                f"The example of {where} has the size {size}, from which nothing can be told "
                "about other sizes: torch.export makes 0 and 1 constants.",
                f"Give an example with 2 or more at {where}; the compiled function takes 1, too, "
                "where the model allows it.",
                argument=wish.place.where,
            )
        if is_derived(value):
            self._merge_root(where, size, value)
            return value
        self._check_range(where, size, name, low, high)
        self._merge(where, size, name, (low, high))
        if is_dim(value):
            self._made.setdefault(name, value)
        return value

    def get(self, value: Any) -> Any:
        """The `Dim` of a name, which every place that has the name shares."""
        if is_dim(value):
            return value
        name = value if isinstance(value, str) else value[0]
        if name not in self._made:
            low, high = self._ranges[name]
            bounds = {k: v for k, v in (("min", low), ("max", high)) if v is not None}
            self._made[name] = torch.export.Dim(name, **bounds)
        return self._made[name]

    def _auto_name(self, wish: Wish) -> str:
        """``past_key_values_length`` for a dimension of one size in all that an argument holds.

        Where it has several, the others are called after the whole way to them.
        """
        where = wish.place.where
        words = re.findall(r"\w+", where)
        dim, last = wish.dim, words[-1]
        if dim is not None:
            last = dimension_word(where, dim, wish.place.value.dim())
        key = (words[0], dim, last, wish.size)
        if key not in self._auto:
            way = words if dim is None else [*words, last]
            short = "_".join(dict.fromkeys((words[0], last)))
            names = [short, "_".join(way)]
            names = [name for name in names if name not in self._sizes]
            self._auto[key] = names[0] if names else self._numbered(short, wish.size)
        return self._auto[key]

    def _apart(self, value: Any, size: int) -> Any:
        """A wish for several places: those where the example has another size get another name."""
        name = value.__name__ if is_dim(value) else value if isinstance(value, str) else value[0]
        if is_derived(value) or self._sizes.get(name, (size,))[0] == size:
            return value
        return self._numbered(name, size)

    def _numbered(self, name: str, size: int) -> str:
        number = 2
        while self._sizes.get(f"{name}_{number}", (size,))[0] != size:
            number += 1
        return f"{name}_{number}"

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

    def _merge_root(self, where: str, size: int, value: Any) -> None:
        """Note what a size such as ``2*k + 1`` says of ``k``."""
        name, factor, offset = root_of(value)
        root, rest = divmod(size - offset, factor)
        if rest or root < 0:
            raise CallError(
                f"dynamic gives {where} the size {value.__name__}, and the example has {size}, "
                f"for which no {name} will do.",
                "Change the example, or what it is derived from.",
                argument=where.rpartition(":")[0],
            )
        dim = value.root
        low, high = _bound(dim, "min"), _bound(dim, "max")
        self._check_range(where, root, name, low, high)
        self._merge(where, root, name, (low, high))


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
