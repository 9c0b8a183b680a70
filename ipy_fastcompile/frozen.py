"""class with fields -> a frozen dataclass, or a named tuple, that costs an import nothing.

`dataclasses.dataclass` compiles methods for every class and looks at each of its fields, and
`typing.NamedTuple` compiles one: half a millisecond and a sixth of one a class, which everybody
pays who only loads an artifact. The methods here serve all classes. `dataclasses.fields`, `replace`
and pattern matching take the dataclasses as any other; what they ask for is made when they do.
"""

from __future__ import annotations

import threading
from collections import _tuplegetter  # type: ignore[attr-defined]
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing import NamedTuple

    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Any:
        """What tells a type checker, and nobody else, that a decorator makes dataclasses."""
        return lambda function: function


__all__ = ["NamedTuple", "frozen"]

Class = TypeVar("Class", bound=type)


# --- frozen dataclasses --------------------------------------------------------------------------


@dataclass_transform(frozen_default=True)
def frozen(cls: Class) -> Class:
    """Make ``cls`` what ``dataclass(frozen=True)`` would make of it; all its fields are its own."""
    own = vars(cls)
    names = tuple(own.get("__annotations__", ()))
    given: dict[str, Any] = {
        "__match_args__": names,
        "__frozen_defaults__": {name: own[name] for name in names if name in own},
        "__dataclass_fields__": _FieldsWhenAsked(cls),
        "__init__": _init,
    }
    given |= {name: method for name, method in _METHODS.items() if name not in own}
    for name, value in given.items():
        setattr(cls, name, value)
    return cls


class _FieldsWhenAsked:
    """In the place of ``__dataclass_fields__`` until somebody asks a class for them."""

    def __init__(self, cls: type) -> None:
        self._cls = cls

    def __get__(self, _: Any, __: Any) -> Any:
        with _ASKING:
            if vars(self._cls)["__dataclass_fields__"] is self:
                dataclass(init=False, repr=False, eq=False)(self._cls)  # puts them in its place
        return vars(self._cls)["__dataclass_fields__"]


_ASKING = threading.RLock()


def _init(self: Any, /, *values: Any, **named: Any) -> None:
    names = self.__match_args__
    given = self.__dict__
    given.update(zip(names, values, strict=False))
    given.update(named)
    count = len(values) + len(named)
    if len(given) != count or not given.keys() <= set(names):
        raise TypeError(f"{type(self).__qualname__} takes {', '.join(names)}, each of them once")
    if count == len(names):
        return
    defaults = self.__frozen_defaults__
    for name in names:
        if name in given:
            continue
        if name not in defaults:
            raise TypeError(f"{type(self).__qualname__} needs {name!r}")
        default = defaults[name]
        if isinstance(default, Field):
            made = default.default_factory
            default = default.default if made is MISSING else made()
        given[name] = default


def _values(record: Any) -> tuple[Any, ...]:
    given = record.__dict__
    return tuple(given[name] for name in record.__match_args__)


def _repr(self: Any) -> str:
    """The fields, of long ones the beginning: a record may hold the whole text of a kernel."""
    parts = (f"{name}={_brief(self.__dict__[name])}" for name in self.__match_args__)
    return f"{type(self).__qualname__}({', '.join(parts)})"


def _brief(value: Any) -> str:
    if isinstance(value, (str, bytes)):
        return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}…"
    if type(value) is tuple and len(value) > 1:
        parts = ", ".join(map(_brief, value[:_SHOWN_ITEMS]))
        if len(value) <= _SHOWN_ITEMS and len(parts) <= _SHOWN_VALUE:
            return f"({parts})"
        return f"({_brief(value[0])}, … {len(value)} in all)"
    text = f"({_brief(value[0])},)" if type(value) is tuple and value else repr(value)
    return text if len(text) <= _SHOWN_VALUE else f"{text[:_SHOWN_VALUE]}…"


_SHOWN = 80  # characters of a text
_SHOWN_VALUE = 200  # and of what any other value says of itself
_SHOWN_ITEMS = 6


def _eq(self: Any, other: Any) -> Any:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _refuse(self: Any, name: str, *_: Any) -> None:
    raise FrozenInstanceError(f"cannot change {name!r}: {type(self).__qualname__} is frozen")


_METHODS = {
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
}


# --- named tuples --------------------------------------------------------------------------------

if not TYPE_CHECKING:

    class _Fields(type):
        """Annotated fields in the body of a class -> what reads each from its place."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            names = tuple(body.get("__annotations__", ()))
            body["__slots__"] = ()
            body["__match_args__"] = body["_fields"] = names
            body["_field_defaults"] = {field: body[field] for field in names if field in body}
            for place, field in enumerate(names):
                body[field] = _tuplegetter(place, f"Alias for field number {place}")
            return super().__new__(cls, name, bases, body)

    def _whole(cls: Any, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """The values of all fields, in order."""
        names = cls._fields
        given = dict(zip(names, values, strict=False))
        whole = {**cls._field_defaults, **given, **named}
        if len(given) != len(values) or given.keys() & named or whole.keys() != set(names):
            raise TypeError(f"{cls.__qualname__} takes {', '.join(names)}, each of them once")
        return tuple(map(whole.__getitem__, names))

    class NamedTuple(tuple, metaclass=_Fields):
        """What `typing.NamedTuple` is, for classes that are used at a load."""

        __slots__ = ()

        def __new__(cls, /, *values: Any, **named: Any) -> Any:  # noqa: D102
            if named or len(values) != len(cls._fields):
                values = _whole(cls, values, named)
            return tuple.__new__(cls, values)

        @classmethod
        def _make(cls, values: Any) -> Any:
            return cls(*values)

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, /, **named: Any) -> Any:
            return type(self)(**{**self._asdict(), **named})

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

        def __repr__(self) -> str:
            parts = map("{}={!r}".format, self._fields, self)
            return f"{type(self).__qualname__}({', '.join(parts)})"
