"""call + programs -> the program that it fits, or an InputError that says what fits none of them.

The program of the last call is asked first, then the others in order. Nothing is run or written,
and no words are made, before one fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..artifact.schema import Program
from ..errors import InputError
from . import modes
from .checks import CHECKS
from .flat import Fit, FlatFunction

# What `run_fitting` gives where nothing was run.
NOTHING = object()


def run_fitting(
    find: Callable[[tuple[Any, ...], dict[str, Any]], Fit | None],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """The result of what ``find`` finds for a call, or `NOTHING` where that is None."""
    if modes.is_plain():
        fit = find(args, kwargs)
        if fit is None:
            return NOTHING
        results = fit.function.run(fit)
    else:
        with modes.set_aside("A compiled function", InputError):
            fit = find(args, kwargs)
            if fit is None:
                return NOTHING
            fit.function.refuse_tangents(fit.leaves)
            results = fit.function.run(fit)
    return fit.function.tree.outputs(results, args, kwargs)


class Dispatcher:
    """Finds the program of a call; ``programs`` describe ``functions``, in the same order."""

    def __init__(self, programs: Sequence[Program], functions: Sequence[FlatFunction]) -> None:
        self._programs = programs
        self._functions = functions
        self._last = functions[0]  # one assignment: calls in other threads see the old or the new

    def find(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Fit | None:
        """The call as one of the first program that it fits; None where it fits none."""
        last = self._last
        fit = last.fit(args, kwargs)
        if fit is not None:
            return fit
        for function in self._functions:
            if function is not last:
                fit = function.fit(args, kwargs)
                if fit is not None:
                    self._last = function
                    return fit
        return None

    def refusal(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> InputError:
        """What a call that fits none is told: the programs, and why it is not the nearest."""
        from ..artifact.described import describe_inputs  # nothing that a load has to wait for

        attempts = [_attempt(function, args, kwargs) for function in self._functions]
        nearest = max(range(len(attempts)), key=lambda position: attempts[position][0])
        error = attempts[nearest][1]
        assert error is not None
        lines = [f"  {program.name}: {describe_inputs(program)}" for program in self._programs]
        return InputError(
            "\n".join(
                [
                    f"The call fits none of the {len(lines)} programs:",
                    *lines,
                    f"The nearest is {self._programs[nearest].name}: {error.what}",
                ]
            ),
            error.hint,
            **{**error.facts, "nearest": self._programs[nearest].name},
        )


class _Counted:
    """The checks, and how many of them held."""

    def __init__(self) -> None:
        self.held = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        check = getattr(CHECKS, name)

        def counted(*args: Any) -> Any:
            found = check(*args)
            self.held += 1
            return found

        return counted


def _attempt(
    function: FlatFunction, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[int, ...], InputError | None]:
    """How far a call gets with a program, and what stops it.

    First counts that arguments are neither missing nor too many, then how many checks hold.
    """
    checks = _Counted()
    error = function.refusal(args, kwargs, checks)
    return (-function.tree.odd_arguments(args, kwargs), checks.held), error
