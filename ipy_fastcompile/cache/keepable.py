"""CompiledModel -> why the cache does not keep it, "" when it does.

An entry is used later, when the reason for what is wrong with it may be gone: a compiler is there
again, the memory or the disk that was full is not. Such a result is the caller's, not the cache's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def keepable(compiled: Any) -> str:
    """Why ``compiled`` (a `CompiledModel`) is not kept in the cache, "" when it is.

    Each of `REASONS` is asked in turn; the first that says something decides.
    """
    return next((why for ask in REASONS if (why := ask(compiled))), "")


def _runs_uncompiled(compiled: Any) -> str:
    """Inductor refused a submodule; whether it would again, nobody can tell from its words."""
    for program in compiled.programs:
        failures = program.lowered.failures
        if not failures:
            continue
        index, why = next(iter(failures.items()))
        count = f"{len(failures)} of {len(program.lowered.kernel_of)} submodules"
        verb = "runs" if len(failures) == 1 else "run"
        of = f" of {program.name}" if program.name else ""
        return f"{count}{of} {verb} uncompiled, submod_{index} because of {why}"
    return ""


def _differs(compiled: Any) -> str:
    """What it computes is not what eager does."""
    difference: str = compiled.report.difference
    return difference.rstrip(".")


REASONS: tuple[Callable[[Any], str], ...] = (_runs_uncompiled, _differs)
