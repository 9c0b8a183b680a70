"""`frozen` and its rows beside Python's own: the same, without compiling anything."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import threading
import typing
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ipy_fastcompile.artifact.schema.records import TensorSpecs
from ipy_fastcompile.frozen import NamedTuple, frozen


@frozen
class Ours:
    """Three fields, two of them with a default."""

    name: str
    size: int = 3
    rest: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Python:
    """The same as Python makes it."""

    name: str
    size: int = 3
    rest: list[int] = dataclasses.field(default_factory=list)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (("a",), {}),
        (("a", 1), {}),
        (("a", 1, [2]), {}),
        ((), {"name": "a"}),
        (("a",), {"rest": []}),
    ],
)
def test_values_are_those_of_a_dataclass(
    values: tuple[object, ...], named: dict[str, object]
) -> None:
    ours, theirs = Ours(*values, **named), Python(*values, **named)  # type: ignore[arg-type]
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert repr(ours) == repr(theirs).replace("Python", "Ours")
    assert ours == Ours(*values, **named)  # type: ignore[arg-type]
    assert ours != theirs


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((), {}),
        (("a", 1, [], 4), {}),
        (("a",), {"name": "b"}),
        (("a",), {"other": 1}),
        ((), {"other": "a"}),
        (("a", 1), {"other": 1}),
        (("a", 1), {"size": 1}),
    ],
)
def test_other_values_are_refused(values: tuple[object, ...], named: dict[str, object]) -> None:
    for kind in (Ours, Python):
        with pytest.raises(TypeError):
            kind(*values, **named)


def test_nothing_can_be_changed() -> None:
    ours = Ours("a")
    for name in ("name", "other"):
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"{name}.*Ours is frozen"):
            setattr(ours, name, "b")
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(ours, name)
    assert ours == Ours("a")


def test_defaults_are_not_shared() -> None:
    first, second = Ours("a"), Ours("a")
    first.rest.append(1)
    assert second.rest == []


def test_equal_values_have_equal_hashes() -> None:
    specs = TensorSpecs(("w",), ("parameter",))
    assert hash(specs) == hash(TensorSpecs(("w",), ("parameter",)))
    assert specs != TensorSpecs(("v",), ("parameter",))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Ours("a"))  # as it holds a list


def test_it_can_be_replaced_copied_pickled_and_matched() -> None:
    ours = Ours("a", 4, [1])
    assert dataclasses.replace(ours, size=5) == Ours("a", 5, [1])
    assert copy.deepcopy(ours) == ours
    assert pickle.loads(pickle.dumps(ours)) == ours
    match ours:
        case Ours(name, size, rest):
            assert (name, size, rest) == ("a", 4, [1])


def test_methods_of_the_class_stay() -> None:
    @frozen
    class Own(Sequence[int]):
        values: tuple[int, ...]

        def __getitem__(self, position: int) -> int:  # type: ignore[override]
            return self.values[position]

        def __len__(self) -> int:
            return len(self.values)

        def __repr__(self) -> str:
            return "own"

    assert repr(Own((1, 2))) == "own"
    assert list(Own((1, 2))) == [1, 2]


def test_no_method_is_compiled_for_a_class_and_no_field_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Plain:
        """What a class of records is without its decorator."""

        name: str
        size: int = 3

    class Pair(NamedTuple):
        """What a row is."""

        name: str
        size: int = 3

    compiled: list[object] = []

    def note(*source: object) -> None:
        compiled.append(source)
        exec(*source)  # type: ignore[arg-type]

    monkeypatch.setattr(dataclasses, "exec", note, raising=False)
    made = frozen(Plain)
    assert compiled == []
    assert made("a").size == 3  # type: ignore[call-arg]
    assert not isinstance(vars(made)["__dataclass_fields__"], dict)
    assert [field.name for field in dataclasses.fields(made)] == ["name", "size"]  # type: ignore[arg-type]
    assert isinstance(vars(made)["__dataclass_fields__"], dict)
    assert made("a").size == 3  # type: ignore[call-arg]
    assert Pair("a").size == 3
    assert "__new__" not in vars(Pair)
    dataclasses.make_dataclass("Heavy", ["name"], frozen=True)
    assert compiled, "Python's own compiles its methods, so that the count can fail"


def test_threads_that_ask_at_once_get_the_same_fields() -> None:
    for _ in range(20):

        @frozen
        class Many:
            name: str
            rest: list[int] = dataclasses.field(default_factory=list)
            size: int = 3

        start = threading.Barrier(4)

        def ask(kind: Any = Many, start: threading.Barrier = start) -> list[tuple[str, bool]]:
            start.wait()
            fields = dataclasses.fields(kind)
            return [(f.name, f.default_factory is dataclasses.MISSING) for f in fields]

        with ThreadPoolExecutor(4) as pool:
            found = [future.result() for future in [pool.submit(ask) for _ in range(4)]]
        assert found == [[("name", True), ("rest", False), ("size", True)]] * 4
        assert Many("a").rest == []


class Row(NamedTuple):
    """Two fields, one of them with a default."""

    name: str
    size: int = 3

    @property
    def is_large(self) -> bool:
        """Whether it is."""
        return self.size > 3


class TypedRow(typing.NamedTuple):
    """The same as Python makes it."""

    name: str
    size: int = 3


@pytest.mark.parametrize(
    ("values", "named"),
    [(("a",), {}), (("a", 1), {}), ((), {"name": "a"}), (("a",), {"size": 1}),
     ((), {"size": 1, "name": "a"})],
)  # fmt: skip
def test_a_row_is_what_python_makes_of_it(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    ours, theirs = Row(*values, **named), TypedRow(*values, **named)
    assert ours == theirs == tuple(ours)
    assert hash(ours) == hash(theirs)
    assert repr(ours) == repr(theirs).replace("TypedRow", "Row")
    assert (ours.name, ours.size, ours._fields) == (theirs.name, theirs.size, theirs._fields)
    assert ours._asdict() == theirs._asdict()
    assert ours._replace(size=9) == theirs._replace(size=9)
    assert ours._replace(size=9).is_large
    assert Row._make(theirs) == ours
    assert Row._field_defaults == TypedRow._field_defaults
    assert not hasattr(ours, "__dict__")


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), (("a", 1, 2), {}), (("a",), {"name": "b"}), (("a",), {"other": 1}),
     ((), {"size": 1}), (("a", 1), {"size": 1})],
)  # fmt: skip
def test_other_values_make_no_row(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    for kind in (Row, TypedRow):
        with pytest.raises(TypeError):
            kind(*values, **named)


def test_a_row_cannot_be_changed_and_can_be_copied_pickled_and_matched() -> None:
    row = Row("a", 4)
    with pytest.raises(AttributeError):
        row.name = "b"  # type: ignore[misc]
    for again in (copy.copy(row), copy.deepcopy(row), pickle.loads(pickle.dumps(row))):
        assert type(again) is Row
        assert again == row
    match row:
        case Row(name, size):
            assert (name, size) == ("a", 4)
        case _:
            pytest.fail("no match")
