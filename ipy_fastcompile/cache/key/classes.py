"""class -> what of it counts: all methods of the user's, of others those that code mentions."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from . import home
from .home import Home, home_of_class
from .layers import look_at_library_class
from .names import class_name, functions_of
from .notes import VALUES
from .walker import Follower
from .words import word_set

# Attributes of classes that say nothing about what their instances do.
_NOISE = word_set(
    """
    __doc__ __module__ __qualname__ __dict__ __weakref__ __annotations__ __annotate__
    __annotate_func__ __annotations_cache__ __firstlineno__ __static_attributes__ __slots__
    __slotnames__
    __match_args__ __abstractmethods__ _abc_impl __orig_bases__ __parameters__ __type_params__
    __dataclass_fields__ __dataclass_params__ __classdictcell__
    """
)
_CONSTRUCTORS = ("__new__", "__init__", "__post_init__")
# Special methods that run when a class or an object is made, shown, copied or taken apart.
_NOT_IMPLICIT = word_set(
    """
    __init_subclass__ __set_name__ __prepare__ __class_getitem__ __subclasshook__ __reduce__
    __reduce_ex__ __getstate__ __setstate__ __getnewargs__ __getnewargs_ex__ __del__ __repr__
    __str__ __format__ __dir__ __sizeof__ __copy__ __deepcopy__ __replace__
    """
) | set(_CONSTRUCTORS)


class Classes:
    """The classes that a walk has reached, and which of their attributes wait for a mention."""

    def __init__(self, walk: Follower) -> None:
        self.mentioned: set[str] = {"forward"}
        self._walk = walk
        self.reached: dict[type, None] = {}  # in order
        self._made: set[type] = set()
        self._judged: set[type] = set()
        self._waiting: dict[str, list[tuple[type, str]]] = {}

    def reach(self, cls: type, *, is_made: bool) -> None:
        """A class was found by itself (``is_made``: objects may be made of it), or an instance."""
        if is_made:
            self._reach_constructors(cls)
            if cls not in self._judged:
                self._judged.add(cls)
                self._walk.judge(class_name(cls), cls)
                self._walk.deny(class_name(cls), cls)
        if cls in self.reached:
            return
        self.reached[cls] = None
        where = home_of_class(cls)
        if self._walk.is_servant(where):
            return
        if type(cls) is not type:
            self.reach(type(cls), is_made=False)
        for base in cls.__mro__[1:]:
            self.reach(base, is_made=False)
        if where.owner == home.LIBRARY:
            for name in look_at_library_class(self._walk, cls):
                self._reach_or_wait(cls, name, where)
        else:
            self._reach_attributes(cls, where)

    def mention(self, names: Iterable[str]) -> None:
        """Some code that is reached mentions these names."""
        for name in names:
            if name in self.mentioned:
                continue
            self.mentioned.add(name)
            for cls, waiting in self._waiting.pop(name, ()):
                self._reach_attribute(cls, waiting, home_of_class(cls))

    def mention_all_known(self) -> None:
        """Some code makes up names: whatever the walk now knows all of needs no mention."""
        for name, owners in list(self._waiting.items()):
            known = [cls for cls, _ in owners if self._walk.knows_all(home_of_class(cls))]
            self._waiting[name] = [owner for owner in owners if owner[0] not in known]
            for cls in known:
                self._reach_attribute(cls, name, home_of_class(cls))

    def _reach_attributes(self, cls: type, where: Home) -> None:
        self._walk.use_package(where)
        if where.owner == home.USER:
            bases = ", ".join(map(class_name, cls.__bases__))
            with self._walk.component(VALUES):
                self._walk.line(class_name(cls), f"class({bases})")
        for name, value in list(vars(cls).items()):
            is_waiting = self._reach_or_wait(cls, name, where)
            if is_waiting and where.owner == home.USER:
                for function in functions_of(value):
                    self._walk.add_source(function)

    def _reach_or_wait(self, cls: type, name: str, where: Home) -> bool:
        """Describe an attribute now, or once some code mentions it; returns whether it waits."""
        knows_all = where.owner != home.LIBRARY and (
            self._walk.knows_all(where) or issubclass(cls, enum.Enum)
        )
        if name in self.mentioned or knows_all or _is_implicit(name):
            self._reach_attribute(cls, name, where)
            return False
        self._waiting.setdefault(name, []).append((cls, name))
        return True

    def _reach_constructors(self, cls: type) -> None:
        """Code that mentions a class may make an object of it."""
        if cls in self._made:
            return
        self._made.add(cls)
        for base in cls.__mro__:
            where = home_of_class(base)
            if where.owner != home.LIBRARY:
                for name in _CONSTRUCTORS:
                    self._reach_attribute(base, name, where)

    def _reach_attribute(self, cls: type, name: str, where: Home) -> None:
        if name in _NOISE or name not in vars(cls):
            return
        with self._walk.component(self._walk.component_of(where)), self._walk.binding(name):
            self._walk.describe(f"{class_name(cls)}.{name}", vars(cls)[name])


def _is_implicit(name: str) -> bool:
    """Whether a method runs without being mentioned, on an object that is there already."""
    return name.startswith("__") and name.endswith("__") and name not in _NOT_IMPLICIT
