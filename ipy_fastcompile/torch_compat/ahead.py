"""C++ kernels that Inductor needs -> built, and the machine probed for them, while Python goes on.

torch._inductor.async_compile and torch._inductor.cpu_vec_isa; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any


class Builds:
    """C++ kernels that are built by threads of Inductor's, while it lowers the next submodule.

    Inductor waits for the kernels of a graph before it begins another one. A kernel whose builds
    are under way can be neither called nor packed before `wait`.
    """

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """While this lasts, compiles leave their C++ kernels to `wait`.

        Kernels for a GPU are waited for at once: they are tuned on it.
        """
        from torch._inductor.async_compile import AsyncCompile

        compiler: Any = AsyncCompile
        original = compiler.wait

        def wait(self_: Any, scope: dict[str, Any]) -> None:
            if all(getattr(value, "future", None) is None for value in scope.values()):
                self._waiting.append(functools.partial(original, self_, scope))
            else:
                original(self_, scope)

        compiler.wait = wait
        try:
            yield
        finally:
            compiler.wait = original

    def wait(self) -> None:
        """Return when all of them are built. Raises what the compiler of one of them says."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each()


def probe_ahead() -> None:
    """Begin to find out which vector instructions C++ kernels may use, which takes some builds.

    Inductor asks when it writes the first kernel; until then an export runs. What is found out is
    kept in the process, and whoever asks meanwhile waits for it.
    """
    if _BEGUN.is_set():
        return
    _BEGUN.set()
    threading.Thread(target=_probe, name="ipy_fastcompile probe", daemon=True).start()


_BEGUN = threading.Event()


def _probe() -> None:
    from torch._inductor.cpu_vec_isa import pick_vec_isa

    # Whatever is the matter, a compiler that is not there for one, is told to who needs the answer.
    with contextlib.suppress(Exception):
        pick_vec_isa()
