"""Fault 32: a helper file is edited or deleted, a cell is redefined, and the cache has an entry."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from IPython.core.error import UsageError

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.cache.cached import CachedResult, compile_cached
from ipy_fastcompile.cache.store import Store
from ipy_fastcompile.errors import CacheMiss, CaptureError

pytestmark = pytest.mark.slow
MODEL = """\
import torch

import edited_helper


class Net(torch.nn.Module):
    def forward(self, x):
        return edited_helper.scale(x).exp()


"""
LATE = """\
import torch


class Net(torch.nn.Module):
    def forward(self, x):
        from edited_helper import scale

        return scale(x).exp()
"""
HELPER = "FACTOR = 2.0\n\n\ndef scale(x):\n    return x * FACTOR + 1.0\n"
X = torch.linspace(-1, 1, 4)


class Files:
    """Two modules of the user's, which can be edited and imported again."""

    def __init__(self, folder: Path) -> None:
        self.helper = folder / "edited_helper.py"
        self.helper.write_text(HELPER)
        self.model = folder / "edited_model.py"
        self.model.write_text(MODEL)
        self.store = Store(folder / "cache")

    def start(self) -> Any:
        """The model, as a new process has it."""
        for module in ("edited_model", "edited_helper"):
            sys.modules.pop(module, None)
        importlib.invalidate_caches()
        linecache.clearcache()
        return importlib.import_module("edited_model").Net().eval()

    def ask(self, model: Any, **options: Any) -> CachedResult:
        return compile_cached(model, (X,), store=self.store, **options)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # its times have whole seconds
    yield Files(tmp_path)
    for module in ("edited_model", "edited_helper"):
        sys.modules.pop(module, None)


def test_an_edited_helper_file_is_a_miss_and_never_the_old_number(files: Files) -> None:
    first = files.start()
    assert not files.ask(first).hit
    assert files.ask(files.start()).hit
    line = "return x * FACTOR + 1.0"
    for old, new, said in (
        ("FACTOR = 2.0", "FACTOR = 3.0", "values: edited_helper.FACTOR: 2.0 -> 3.0"),
        ("+ 1.0", "- 1.0", f"edited_helper.py:5: {line} -> {line.replace('+', '-')}"),
    ):
        files.helper.write_text(HELPER.replace(old, new))
        edited = files.start()
        with pytest.raises(CacheMiss) as caught:
            files.ask(edited, assert_warm=True)
        assert str(caught.value).splitlines()[1].endswith(said)
        assert "compiled code" not in str(caught.value)  # a digest says nothing beside the line
        result = files.ask(edited)
        assert not result.hit
        torch.testing.assert_close(result.model(X), edited(X))
        assert not torch.equal(result.model(X), first(X))
    files.helper.write_text(HELPER)
    again = files.ask(files.start())
    assert again.hit
    torch.testing.assert_close(again.model(X), first(X))


def test_an_edit_that_was_not_imported_changes_nothing(files: Files) -> None:
    """What runs is what is in the process, for eager and for the cache."""
    model = files.start()
    files.ask(model)
    files.helper.write_text(HELPER.replace("2.0", "3.0"))
    linecache.clearcache()
    result = files.ask(model)
    torch.testing.assert_close(result.model(X), model(X))


def test_a_helper_file_deleted_after_its_import_gives_eagers_number(files: Files) -> None:
    model = files.start()
    files.ask(model)
    files.helper.unlink()
    linecache.clearcache()
    result = files.ask(model)
    torch.testing.assert_close(result.model(X), model(X))


def test_a_helper_file_deleted_before_its_import_is_named(files: Files) -> None:
    """The entry of yesterday would give a number where eager cannot."""
    files.model.write_text(LATE)
    files.ask(files.start())
    assert files.ask(files.start()).hit
    files.helper.unlink()
    model = files.start()
    with pytest.raises(ModuleNotFoundError, match="edited_helper"):
        model(X)
    with pytest.raises(CacheMiss, match="edited_helper"):
        files.ask(model, assert_warm=True)
    with pytest.raises(CaptureError, match="edited_helper") as caught:
        files.ask(model)
    assert type(caught.value).__module__ == errors.__name__


def test_a_changed_object_is_a_miss(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    model = files.start()
    files.ask(model)
    monkeypatch.setattr("edited_helper.FACTOR", 5.0)
    result = files.ask(model)
    assert not result.hit
    torch.testing.assert_close(result.model(X), model(X))


# --- cells ---------------------------------------------------------------------------------------

HELPER_CELL = "factor = {}\ndef scale(x):\n    return x * factor"
MODEL_CELL = """\
import torch

class Net(torch.nn.Module):
    def forward(self, x):
        return scale(x).exp()

net = Net().eval()
x = torch.linspace(-1, 1, 4)
"""


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], tuple[Any, BaseException | None, str]]]:
    """Run a cell in an IPython with the extension: its value, its error and what it showed."""
    from IPython.utils.capture import capture_output

    from tests.shells import own_shell

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with own_shell() as shell:
        shell.run_line_magic("load_ext", "ipy_fastcompile")

        def run_cell(text: str) -> tuple[Any, BaseException | None, str]:
            with capture_output() as io:
                result = shell.run_cell(text)  # type: ignore[no-untyped-call]
            shown = "\n".join(output.data.get("text/plain", "") for output in io.outputs)
            return (
                result.result,
                result.error_before_exec or result.error_in_exec,
                shown + io.stdout,
            )

        yield run_cell
        shell.run_line_magic("unload_ext", "ipy_fastcompile")


def test_a_redefined_cell_is_a_miss_and_never_the_old_number(run: Any) -> None:
    call = "%%fastcompile --no-warm {}\nnet(x)"
    run(HELPER_CELL.format(2.0))
    run(MODEL_CELL)
    first, error, shown = run(call.format(""))
    assert error is None
    assert "cache miss" in shown
    assert "cache hit" in run(call.format("--assert-warm"))[2]

    run(HELPER_CELL.format(3.0))  # only the helper's cell, and only its constant
    _, error, _ = run(call.format("--assert-warm"))
    assert "factor: 2.0 -> 3.0" in str(error)
    second, error, shown = run(call.format(""))
    assert error is None
    assert "cache miss" in shown
    torch.testing.assert_close(second, run("net(x)")[0])
    assert not torch.equal(first, second)

    run("del scale")  # its cell is gone
    value, error, _ = run(call.format(""))
    assert value is None
    assert isinstance(error, UsageError)  # which IPython shows without a traceback
    assert isinstance(error.__cause__, CaptureError)
    assert "name 'scale' is not defined" in str(error)


def test_an_artifact_saved_by_name_keeps_its_own_numbers(files: Files, tmp_path: Path) -> None:
    """What `load` is given is asked for by name: it is that artifact, whatever became of files."""
    model = files.start()
    compiled = files.ask(model).model
    compiled.save(tmp_path / "net.fastcompile")
    expected = model(X)
    files.helper.write_text(HELPER.replace("2.0", "3.0"))
    loaded = fc.load(tmp_path / "net.fastcompile", files.start())
    torch.testing.assert_close(loaded(X), expected)
