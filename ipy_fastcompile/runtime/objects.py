"""an object that is nothing but its attributes -> itself, as a call leaves it."""

from __future__ import annotations

from typing import Any


class _Empty:
    """What an object without slots or a builtin's state weighs."""


def is_plain_object(value: Any) -> bool:
    """Whether an object is its attributes and nothing else, as transformers' caches are.

    Such an object can be made again without its ``__init__``: it has no slots, no state of a
    builtin, and no way of its own to be made, copied or pickled. Functions, types, modules,
    iterators and whatever can be called are none, and an object without attributes says nothing.
    """
    kind: Any = type(value)
    held = getattr(value, "__dict__", None)
    return (
        isinstance(held, dict)
        and bool(held)
        and kind.__basicsize__ == _Empty.__basicsize__
        and kind.__new__ is object.__new__
        and kind.__reduce_ex__ is object.__reduce_ex__
        and kind.__reduce__ is object.__reduce__
        and not (callable(value) or hasattr(kind, "__setstate__") or hasattr(kind, "__next__"))
    )


def become(held: Any, made: Any) -> Any:
    """What ``held`` is once it holds what ``made`` does: itself, where it can be changed.

    So whoever has a part of it, a layer of a cache, sees what happened to it.
    """
    if type(held) is not type(made):
        return made
    if isinstance(held, list):
        old = list(held)
        inner = [become(old[i], item) if i < len(old) else item for i, item in enumerate(made)]
        list.__setitem__(held, slice(None), inner)
        return held
    if isinstance(held, dict):
        _become_dict(held, made)
        return held
    if is_plain_object(held):
        _become_dict(vars(held), vars(made))
        return held
    return made


def _become_dict(held: dict[Any, Any], made: dict[Any, Any]) -> None:
    for name in [name for name in held if name not in made]:
        del held[name]
    for name, value in made.items():
        held[name] = become(held[name], value) if name in held else value
