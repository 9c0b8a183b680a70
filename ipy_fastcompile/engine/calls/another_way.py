"""attempts to capture a model -> what the first that succeeds gives, or the error of the first.

`torch.export` runs the model on tensors without values, which is how most models are captured.
Where it cannot, Dynamo may, of which `torch.compile` is made: it reads the Python instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from ...errors import FastCompileError
from ...interrupts import check_whole
from .failures import explain_failure, is_final
from .straight import StraightForward

T = TypeVar("T")


def by_any_way(
    attempt: Callable[[StraightForward | None], T],
    straight: Callable[[], Iterator[StraightForward]],
    name: str,
) -> tuple[T, tuple[str, ...]]:
    """What ``attempt`` gives for the model of this name, and a note on any detour.

    It is made with the model as it is (None), and then with what ``straight`` makes of it.
    """
    try:
        return attempt(None), ()
    except Exception as error:  # noqa: BLE001 - whatever the model itself raises surfaces here
        check_whole(error)
        refused = error
    explained = explain_failure(refused, name)
    found = None if is_final(refused, name) else _by_detour(attempt, straight(), name)
    if found is not None:
        how = "The graph came by way of Dynamo, which reads models for torch.compile."
        return found, (f"{explained.what} {how}",)
    if explained is refused:
        raise refused from refused.__cause__
    raise explained from refused


def _by_detour(
    attempt: Callable[[StraightForward | None], T], forwards: Iterator[StraightForward], name: str
) -> T | None:
    while True:
        try:
            forward = next(forwards, None)
            return attempt(forward) if forward else None
        except Exception as error:
            check_whole(error)
            if isinstance(error, FastCompileError) and is_final(error, name):
                raise
