"""What a forward takes from an iterator changes with every call: refused, and left where it is."""

from __future__ import annotations

import collections
import functools
import io
import itertools
import queue
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.calls.iterators import Spare

X = torch.ones(2, 4)
STEPS = itertools.count(1)
NUMBERS = [1.0, 2.0, 3.0, 4.0, 5.0]


class Reads(nn.Module):
    """A model that multiplies by what ``how`` makes of what it holds."""

    def __init__(self, held: Any, how: Callable[[Any], Any]) -> None:
        super().__init__()
        self.held = held
        self.how = how
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.how(self.held)


class Slotted:
    __slots__ = ("it",)

    def __init__(self) -> None:
        self.it = itertools.count(1)


def counting() -> Iterator[float]:
    n = 0.0
    while True:
        n += 1
        yield n


def always_three() -> Iterator[float]:
    while True:
        yield 3.0


def rotated(ring: collections.deque[float]) -> float:
    ring.rotate(-1)
    return ring[-1]


def filled(numbers: Any, made: Any) -> Any:
    for number in numbers:
        made.put(number)
    return made


def later_cycle() -> Any:
    """A cycle that has gone round once."""
    found = itertools.cycle([5.0, 1.0, 2.0])
    for _ in range(4):
        next(found)
    return found


# Each gives 1, 2 and so on.
COPIED: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "cycle": (lambda: itertools.cycle([1.0, 2.0]), next),
    "cycle in its second round": (later_cycle, next),
    "count": (lambda: itertools.count(1), next),
    "list": (lambda: iter(NUMBERS), next),
    "two numbers": (lambda: iter([1.0, 2.0]), next),
    "tuple": (lambda: iter(tuple(NUMBERS)), next),
    "range": (lambda: iter(range(1, 9)), next),
    "dict": (lambda: iter({1: 0, 2: 0, 3: 0}), next),
    "reversed": (lambda: reversed([3, 2, 1]), next),
    "enumerate": (lambda: enumerate(NUMBERS, 1), lambda it: next(it)[0]),
    "zip": (lambda: zip(NUMBERS, NUMBERS, strict=True), lambda it: next(it)[0]),
    "map": (lambda: map(float, NUMBERS), next),
    "chain": (lambda: itertools.chain([1.0], [2.0, 3.0]), next),
    "islice": (lambda: itertools.islice(itertools.count(1), 9), next),
    "tee": (lambda: itertools.tee(NUMBERS)[0], next),
    "sentinel": (lambda: iter(functools.partial(next, itertools.count(1)), None), next),
    "in a list": (lambda: [itertools.count(1)], lambda held: next(held[0])),
    "in a tuple": (lambda: (0, (itertools.count(1),)), lambda held: next(held[1][0])),
    "in a dict": (lambda: {"a": itertools.count(1)}, lambda held: next(held["a"])),
    "in a slot": (Slotted, lambda held: next(held.it)),
    "bound": (lambda: itertools.count(1).__next__, lambda held: held()),
    "partial": (lambda: functools.partial(next, itertools.count(1)), lambda held: held()),
    "deque": (lambda: collections.deque(NUMBERS).popleft, lambda held: held()),
    "rotated": (lambda: collections.deque(NUMBERS), rotated),
    "popped": (lambda: [3.0, 2.0, 1.0], list.pop),
    "queue": (lambda: filled(NUMBERS, queue.Queue()), lambda held: held.get()),
    "text in memory": (lambda: io.StringIO("1\n2\n3\n4\n"), lambda held: float(held.readline())),
    "bytes in memory": (lambda: io.BytesIO(b"1\n2\n3\n4\n"), lambda held: float(next(held))),
}


@pytest.mark.parametrize("name", COPIED)
def test_what_changes_with_every_call_is_refused_and_left_as_it_was(name: str) -> None:
    make, how = COPIED[name]
    model = Reads(make(), how)
    with pytest.raises(errors.CaptureError, match=r"depends on what .*Reads\.(how|held)") as caught:
        capture(model, (X,))
    assert caught.value.facts["call"] == (3 if name == "two numbers" else 2)
    # Whoever holds the iterator besides finds it where it was.
    assert [float(how(model.held)) for _ in range(2)] == [1.0, 2.0]


NOT_COPIED: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "generator": (counting, next),
    "loop over one": (counting, lambda held: next(v for v in held)),
    "send": (lambda: counting().send, lambda held: held(None)),
    "the same each time": (lambda: itertools.chain([1.0, 2.0], always_three()), next),
    "cycle of one": (lambda: itertools.cycle(counting()), next),
    "array": (lambda: np.arange(1.0, 9.0).flat, next),
    "queue in C": (lambda: filled(NUMBERS, queue.SimpleQueue()), lambda held: held.get()),
}


@pytest.mark.parametrize("name", NOT_COPIED)
def test_what_cannot_be_copied_is_refused_before_anything_is_taken(name: str) -> None:
    make, how = NOT_COPIED[name]
    model = Reads(make(), how)
    with pytest.raises(errors.CaptureError, match=r"takes a value from Reads\.held \("):
        capture(model, (X,))
    assert [float(how(model.held)) for _ in range(2)] == [1.0, 2.0]


def test_a_model_that_goes_on_without_it_is_refused_as_well() -> None:
    def how(held: Any) -> float:
        try:
            return float(next(held))
        except Exception:  # noqa: BLE001 - what is tested
            return 7.0

    with pytest.raises(errors.CaptureError, match="takes a value"):
        capture(Reads(counting(), how), (X,))


def of_a_global(x: Tensor) -> Tensor:
    return x * next(STEPS)


def of_a_default(x: Tensor, _steps: Any = itertools.count(1)) -> Tensor:  # noqa: B008
    return x * next(_steps)


def of_a_keyword(x: Tensor, *, _steps: Any = itertools.count(1)) -> Tensor:  # noqa: B008
    return x * next(_steps)


def of_a_closure() -> Callable[[Tensor], Tensor]:
    steps = itertools.count(1)
    return lambda x: x * next(steps)


class OfAClass(nn.Module):
    steps = itertools.count(1)

    def forward(self, x: Tensor) -> Tensor:
        return x * next(self.steps)


@pytest.mark.parametrize(
    "call",
    [
        of_a_global,
        of_a_default,
        of_a_keyword,
        of_a_closure(),
        OfAClass().eval(),
        functools.partial(lambda steps, x: x * next(steps), itertools.count(1)),
    ],
)
def test_iterators_are_found_wherever_a_call_holds_them(call: Any) -> None:
    with pytest.raises(errors.CaptureError, match=r"what it takes from .* \(count\)"):
        capture(call, (X,))
    assert call(X)[0, 0] == 1


def test_a_file_that_is_read_is_put_back(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_text("1\n2\n3\n4\n")
    for how in (lambda file: float(next(file)), lambda file: float(file.readline())):
        with path.open() as file:
            model = Reads(file, how)
            with pytest.raises(errors.CaptureError, match=r"Reads\.held \('position 0'"):
                capture(model, (X,))
            assert how(file) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: random.Random(0).random,
        lambda: np.random.default_rng(0).random,
        lambda: np.random.RandomState(0).random_sample,
    ],
)
def test_a_method_of_a_generator_of_numbers_is_one(make: Callable[[], Any]) -> None:
    model = Reads(make(), lambda held: float(held()))
    with pytest.raises(errors.CaptureError, match=r"draws numbers from \w+"):
        capture(model, (X,))
    assert model.held() == make()()


def test_equal_values_are_named_and_taken_from_copies() -> None:
    model = Reads(itertools.cycle([3.0, 3.0, 3.0, 4.0]), next)
    with pytest.warns(errors.FastCompileWarning, match=r"from Reads\.held \(cycle\); .* even so"):
        captured = capture(model, (X,))
    assert len(captured.notes) == 1
    assert [next(model.held) for _ in range(4)] == [3, 3, 3, 4]


@pytest.mark.parametrize("make", [counting, lambda: itertools.count(1), lambda: map(float, "12")])
def test_iterators_that_no_call_reads_do_not_matter(make: Callable[[], Any]) -> None:
    held = make()
    model = Reads(held, lambda _: 2.0)
    assert capture(model, (X,)).notes == ()
    assert model.held is held
    assert next(held) == 1


def test_what_a_model_asks_of_an_iterators_type_is_as_it_was() -> None:
    def how(held: Any) -> float:
        assert isinstance(held, itertools.count)
        assert iter(held) is held
        return 2.0

    assert capture(Reads(itertools.count(1), how), (X,)).notes == ()


def test_another_thread_takes_from_the_iterator_itself() -> None:
    numbers = counting()
    spare = Spare(numbers, "numbers")
    got: list[float] = []
    thread = threading.Thread(target=lambda: got.append(next(spare)))
    thread.start()
    thread.join()
    assert got == [1.0]
    assert not spare.is_taken
    with pytest.raises(errors.CaptureError, match="numbers"):
        next(spare)
    assert next(numbers) == 2.0
