"""class with annotated fields -> a frozen dataclass that costs an import nothing.

`dataclasses.dataclass` writes and compiles six methods for every class, about half a millisecond
each, which everybody pays who only loads an artifact. The methods here serve all such classes.
`dataclasses.fields`, `replace` and pattern matching take them as any other dataclass.
"""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Any:
        """What tells a type checker, and nobody else, that a decorator makes dataclasses."""
        return lambda function: function


Class = TypeVar("Class", bound=type)


@dataclass_transform(frozen_default=True)
def frozen(cls: Class) -> Class:
    """Make ``cls`` what ``dataclass(frozen=True)`` would make of it."""
    made: Any = dataclass(init=False, repr=False, eq=False)(cls)
    made.__init__ = _init
    for name, method in (
        ("__repr__", _repr),
        ("__eq__", _eq),
        ("__hash__", _hash),
        ("__setattr__", _refuse),
        ("__delattr__", _refuse),
    ):
        if name not in cls.__dict__:
            setattr(made, name, method)
    return cls


def _init(self: Any, /, *values: Any, **named: Any) -> None:
    fields = self.__dataclass_fields__
    given = self.__dict__
    given.update(zip(fields, values, strict=False))
    given.update(named)
    count = len(values) + len(named)
    if len(given) != count or not fields.keys() >= given.keys():
        raise TypeError(f"{type(self).__qualname__} takes {', '.join(fields)}, each of them once")
    if count == len(fields):
        return
    for name, field in fields.items():
        if name in given:
            continue
        if field.default is not MISSING:
            given[name] = field.default
        elif field.default_factory is not MISSING:
            given[name] = field.default_factory()
        else:
            raise TypeError(f"{type(self).__qualname__} needs {name!r}")


def _values(record: Any) -> tuple[Any, ...]:
    given = record.__dict__
    return tuple(given[name] for name in record.__dataclass_fields__)


def _repr(self: Any) -> str:
    parts = (f"{name}={self.__dict__[name]!r}" for name in self.__dataclass_fields__)
    return f"{type(self).__qualname__}({', '.join(parts)})"


def _eq(self: Any, other: Any) -> Any:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _refuse(self: Any, name: str, *_: Any) -> None:
    raise FrozenInstanceError(f"cannot change {name!r}: {type(self).__qualname__} is frozen")
