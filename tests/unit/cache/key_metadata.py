"""Ways in which a forward may read what classes and functions say of themselves.

What their code does stays as it is; see `key_readers`.
"""

from __future__ import annotations

import abc
import collections.abc
import dataclasses
import enum
import functools
import inspect
import sys
import typing
from typing import Any

from torch import nn

from tests.unit.cache.key_readers import reads


def _set(thing: Any, name: str, value: Any) -> Any:
    return lambda: setattr(thing, name, value)


# --- registries ----------------------------------------------------------------------------------


class Kind(abc.ABC):  # noqa: B024 - what is tested
    pass


class Plain:
    pass


PLAIN = Plain()


@reads(lambda: Kind.register(Plain))
def virtual_subclass(x):
    return x * (3.0 if isinstance(PLAIN, Kind) else 2.0)


class Listed:
    def __iter__(self):
        return iter(())


LISTED = Listed()


@reads(lambda: collections.abc.Sequence.register(Listed))
def virtual_subclass_of_the_library(x):
    return x * (3.0 if isinstance(LISTED, collections.abc.Sequence) else 2.0)


class Subtype:
    pass


@reads(lambda: collections.abc.Mapping.register(Subtype))
def virtual_issubclass(x):
    return x * (3.0 if issubclass(Subtype, collections.abc.Mapping) else 2.0)


@functools.singledispatch
def chosen(value):
    return 2.0


def chosen_for_plain(value):
    return 3.0


@reads(lambda: chosen.register(Plain, chosen_for_plain))
def single_dispatch(x):
    return x * chosen(PLAIN)


class WithMethod:
    @functools.singledispatchmethod
    def amount(self, value):
        return 2.0


WITH_METHOD = WithMethod()


@reads(lambda: vars(WithMethod)["amount"].register(Plain, lambda self, value: 3.0))
def single_dispatch_method(x):
    return x * WITH_METHOD.amount(PLAIN)


class Base:
    pass


KEPT: list[type] = []


@reads(lambda: KEPT.append(type("Another", (Base,), {})))
def subclasses(x):
    return x * (1 + len(Base.__subclasses__()))


class Registered:
    known: typing.ClassVar[dict[str, type]] = {}

    def __init_subclass__(cls) -> None:
        Registered.known[cls.__name__] = cls


@reads(lambda: type("Fresh", (Registered,), {}))
def init_subclass(x):
    return x * (1 + len(Registered.known))


# --- functions -----------------------------------------------------------------------------------


def named(x):
    """Of two."""
    return x


@reads(_set(named, "__name__", "another"))
def name_of_a_function(x):
    return x * len(named.__name__)


def documented(x):
    """Of two."""
    return x


@reads(_set(documented, "__doc__", "Of twenty two."))
def doc_of_a_function(x):
    return x * len(documented.__doc__ or "")


def qualified(x):
    return x


@reads(_set(qualified, "__qualname__", "somewhere.else"))
def qualname_of_a_function(x):
    return x * len(qualified.__qualname__)


def homed(x):
    return x


@reads(_set(homed, "__module__", "elsewhere"))
def module_of_a_function(x):
    return x * len(homed.__module__)


def annotated(x: int) -> int:
    return x


@reads(lambda: annotated.__annotations__.update(y="int"))
def annotations_of_a_function(x):
    return x * len(annotated.__annotations__)


def hinted(x: int) -> int:
    return x


@reads(lambda: hinted.__annotations__.update(y=int))
def type_hints(x):
    return x * len(typing.get_type_hints(hinted))


def signed(x, y=2):
    return x


def _signed(a, b, c, d):
    return a


@reads(_set(signed, "__signature__", inspect.signature(_signed)))
def signature(x):
    return x * len(inspect.signature(signed).parameters)


def defaulted(x, y=2.0):
    return x * y


@reads(_set(defaulted, "__defaults__", (3.0,)))
def defaults_as_values(x):
    return x * defaulted.__defaults__[0]


def wrapped(x):
    return x


@reads(_set(wrapped, "__wrapped__", named))
def unwrapped(x):
    return x * (3.0 if inspect.unwrap(wrapped) is not wrapped else 2.0)


def got(x):
    return x


@reads(_set(got, "__name__", "another"))
def name_by_getattr(x):
    return x * len(getattr(got, "__name__"))  # noqa: B009


class Made(nn.Module):
    def forward(self, x):
        return x * len(self.forward.__func__.__name__)


@reads(_set(Made.forward, "__name__", "forwards"))
class name_of_own_forward(Made):  # noqa: N801
    pass


# --- classes -------------------------------------------------------------------------------------


class Titled:
    """Two."""


TITLED = Titled()


@reads(_set(Titled, "__name__", "MuchLonger"))
def name_of_a_class(x):
    return x * len(type(TITLED).__name__)


class Titled2:
    """Two."""


TITLED2 = Titled2()


@reads(_set(Titled2, "__doc__", "Twenty two."))
def doc_of_a_class(x):
    return x * len(TITLED2.__doc__ or "")


class Titled3:
    pass


TITLED3 = Titled3()


@reads(_set(Titled3, "__qualname__", "Else"))
def qualname_of_a_class(x):
    return x * len(TITLED3.__class__.__qualname__)


class Titled4:
    pass


TITLED4 = Titled4()


@reads(_set(Titled4, "__module__", "elsewhere"))
def module_of_a_class(x):
    return x * len(TITLED4.__module__)


class Shown:
    pass


SHOWN = Shown()


@reads(_set(Shown, "__qualname__", "ShownLonger"))
def name_of_a_class_in_a_text(x):
    return x * len(f"{type(SHOWN)!s}")


class Typed:
    a: int


TYPED = Typed()


@reads(lambda: Typed.__annotations__.update(b="int"))
def annotations_of_a_class(x):
    return x * len(TYPED.__class__.__annotations__)


class Typed2:
    a: int


@reads(lambda: Typed2.__annotations__.update(b=int))
def hints_of_a_class(x):
    return x * len(typing.get_type_hints(Typed2))


@dataclasses.dataclass
class Data:
    a: float = 2.0
    b: float = 3.0


DATA = Data()


@reads(lambda: Data.__dataclass_fields__.pop("b"))
def fields_of_a_dataclass(x):
    return x * len(dataclasses.fields(DATA))


@dataclasses.dataclass
class Data2:
    a: float = 2.0
    b: float = 3.0


DATA2 = Data2()


@reads(lambda: Data2.__dataclass_fields__.pop("b"))
def dataclass_as_dict(x):
    return x * len(dataclasses.asdict(DATA2))


class Matched:
    __match_args__ = ("a", "b")
    a = 2.0
    b = 3.0


MATCHED = Matched()


@reads(_set(Matched, "__match_args__", ("b", "a")))
def match_arguments(x):
    match MATCHED:
        case Matched(first, _):
            return x * first
    return x


class Slotted:
    __slots__ = ("a",)


SLOTTED = Slotted()


@reads(_set(Slotted, "__slots__", ("a", "b")))
def slots_of_a_class(x):
    return x * len(SLOTTED.__slots__)


class Looked:
    one = 1.0


LOOKED = Looked()


@reads(_set(Looked, "two", 2.0))
def attributes_of_a_class(x):
    return x * len(vars(Looked))


class Looked2:
    one = 1.0


@reads(_set(Looked2, "two", 2.0))
def directory_of_a_class(x):
    return x * len(dir(Looked2))


class Looked3:
    one = 1.0


@reads(_set(Looked3, "two", lambda self: 2.0))
def members_of_a_class(x):
    return x * len(inspect.getmembers(Looked3))


class Based:
    pass


class OtherBase:
    extra = 1.0


class Child(Based):
    pass


@reads(_set(Child, "__bases__", (OtherBase,)))
def bases_of_a_class(x):
    return x * len(Child.__bases__[0].__name__)


class Colour(enum.Enum):
    RED = 1


@reads(lambda: Colour._member_map_.update(BLUE=Colour.RED))
def members_of_an_enum(x):
    return x * len(Colour.__members__)


class Ordered(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = 2.0, 3.0

    def forward(self, x):
        return x * next(v for k, v in self.__dict__.items() if k in ("a", "b"))


def _reorder() -> None:
    ORDER.a = ORDER.__dict__.pop("a")


ORDER = Ordered()


@reads(_reorder)
def order_of_own_attributes(x):
    return ORDER(x)


# --- addresses -----------------------------------------------------------------------------------


def helper(x):
    return x


@reads()
def address_in_a_list(x):
    held = helper
    return x * len(str([held])) * (sum(map(ord, str([held]))) % 7)


@reads()
def address_in_an_f_string(x):
    return x * (sum(map(ord, f"{helper}")) % 7)


@reads()
def address_by_percent(x):
    return x * (sum(map(ord, "%s" % helper)) % 7)  # noqa: UP031


@reads()
def address_by_format(x):
    return x * (sum(map(ord, f"{PLAIN}")) % 7)


@reads()
def hash_of_a_plain_object(x):
    return x * (hash(PLAIN) % 7)


@reads()
def order_by_address(x):
    return x * [2.0, 3.0][sorted([PLAIN, TITLED], key=id).index(PLAIN)]


PAIR = {PLAIN: 2.0, TITLED: 3.0}
TWO = {PLAIN, TITLED}


@reads()
def order_of_a_set_of_objects(x):
    return x * PAIR[next(iter(TWO))]


@reads()
def address_in_a_tuple(x):
    both = (1, helper)
    return x * (sum(map(ord, repr(both))) % 7)


@reads()
def address_in_a_dict(x):
    both = {"a": PLAIN}
    return x * (sum(map(ord, repr(both))) % 7)


# --- the frame and the interpreter ---------------------------------------------------------------


def _limit() -> None:
    sys.setrecursionlimit(sys.getrecursionlimit() + 7)


@reads(_limit)
def recursion_limit_too(x):
    return x * (sys.getrecursionlimit() % 13)


@reads(_set(Titled, "extra", 5.0))
def attribute_by_hasattr(x):
    return x * (3.0 if hasattr(TITLED, "extra") else 2.0)
