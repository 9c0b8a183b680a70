from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipy_fastcompile.errors import HalfImported
from ipy_fastcompile.interrupts import check_whole, import_whole, interrupts_deferred

PRESS = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """SIGINT is ignored in what a shell runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("pressed_first", "pressed_later"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text(f"from . import part\n{PRESS}\nfrom . import end\n")
        (folder / "part.py").write_text("")
        (folder / "end.py").write_text(f"{PRESS}\ndone = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.startswith("pressed_")]:
        del sys.modules[name]


def test_an_interrupt_waits_for_the_end_of_an_import(packages: None) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        import_whole("pressed_first", "pressed_later")
    assert sys.modules["pressed_first"].end.done
    assert "pressed_later" not in sys.modules  # it does not wait for more than one
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        import_whole("pressed_first", "pressed_later")
    assert sys.modules["pressed_later"].end.done
    import_whole("pressed_first", "pressed_later")


def test_what_the_block_raises_comes_before_the_interrupt() -> None:
    def press_and_fail() -> None:
        with interrupts_deferred():
            os.kill(os.getpid(), signal.SIGINT)
            raise ImportError

    with pytest.raises(ImportError):
        press_and_fail()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_user_is_called() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        with interrupts_deferred():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            assert heard == []
        assert heard == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_deferred():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_imports_as_ever() -> None:
    found: list[object] = []

    def work() -> None:
        with interrupts_deferred():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]


def test_a_module_without_its_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    check_whole()
    monkeypatch.setitem(sys.modules, "torch._made_up.part", types.ModuleType("part"))
    with pytest.raises(HalfImported, match=r"torch\._made_up is in .* Restart the kernel"):
        check_whole()
    with pytest.raises(HalfImported):
        import_whole("json")


def test_a_package_that_lost_its_modules_explains_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sympy

    error = AttributeError("module 'sympy' has no attribute 'core'")
    check_whole(error)
    monkeypatch.delattr(sympy, "core")
    check_whole()
    with pytest.raises(HalfImported, match="sympy") as caught:
        check_whole(error)
    assert caught.value.__cause__ is error


def test_a_whole_process_is_never_blamed(tiny_compiled: object) -> None:
    with contextlib.suppress(StopIteration):  # an error that has nothing to do with it
        check_whole(StopIteration())
    assert "torch._inductor" in sys.modules
