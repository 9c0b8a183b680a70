"""Names of modules -> imported whole, whatever key is pressed meanwhile.

An interrupt within an import leaves a package half there, and with what it registered elsewhere:
torch's compiler and sympy do not recover from that in the same process.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType

from .errors import HalfImported

# Packages that cannot be imported a second time.
FRAGILE = ("torch", "sympy")


def import_whole(*names: str) -> None:
    """Import modules one by one; an interrupt takes effect between two of them.

    Raises HalfImported when an import that was interrupted earlier makes that impossible.
    """
    check_whole()
    for name in names:
        if name not in sys.modules:
            with interrupts_deferred():
                import_module(name)


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Keep Ctrl-C back until the end of the block; in the main thread, where it arrives."""
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield
        return
    pressed: list[FrameType | None] = []
    signal.signal(signal.SIGINT, lambda _, frame: pressed.append(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if pressed:
        previous(signal.SIGINT, pressed[0])


def check_whole(error: BaseException | None = None) -> None:
    """Raise HalfImported when a package is in this process in part only.

    Without ``error`` only what no whole package shows is looked for: a module without its package.
    Where something failed anyway, a package that does not know its modules explains it, too.
    """
    modules = dict(sys.modules)
    for name in modules:
        package, _, child = name.rpartition(".")
        if not name.startswith(tuple(f"{fragile}." for fragile in FRAGILE)):
            continue
        if package not in modules or (
            error is not None
            and package in _EXPLAINS
            and child != "__main__"
            and not hasattr(modules[package], child)
        ):
            raise HalfImported(
                f"{package} is in this process in part only ({name} without it): its import was "
                "interrupted.",
                "Restart the kernel, or the process; nothing else brings it back.",
            ) from error


# Packages whose modules are all their attributes, where they were imported as a whole.
_EXPLAINS = (
    "sympy",
    "sympy.core",
    "torch._dynamo",
    "torch._functorch",
    "torch._inductor",
    "torch.export",
    "torch.fx.experimental",
    "torch.utils._sympy",
)
