"""A request -> a fresh process -> what it measured, or what it said: no child ends the bench."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from ipy_fastcompile.children.ask import ask
from ipy_fastcompile.children.environment import child_environment
from ipy_fastcompile.errors import ChildError


def run_child(
    program: Sequence[str],
    request: Mapping[str, Any],
    *,
    cache: Path | None,
    timeout: float,
) -> dict[str, Any]:
    """Run ``python PROGRAM REQUEST`` in a process of its own; see `ipy_fastcompile.children.ask`.

    Parameters
    ----------
    cache:
        Inductor's cache directory; None for a machine that has nothing: an empty one, an empty
        ``PATH`` and no compiler.
    timeout:
        Seconds until the child and its own children are stopped.

    Returns
    -------
    The result, with ``wall`` seconds; or ``{"error": what it said, "wall": seconds}``.
    """
    started = perf_counter()
    with tempfile.TemporaryDirectory(prefix="fastcompile-bench-") as empty:
        environment = child_environment(empty if cache is None else None)
        if cache is not None:
            cache.mkdir(parents=True, exist_ok=True)
            environment["TORCHINDUCTOR_CACHE_DIR"] = str(cache)
        try:
            result = ask(program, request, environment=environment, timeout=timeout)
        except ChildError as error:
            result = {"error": error.brief}
    return {**result, "wall": perf_counter() - started}
