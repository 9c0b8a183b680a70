"""An error inside a kernel shows the generated line and the user's; the text runs as a file."""

from __future__ import annotations

import importlib.util
import inspect
import linecache
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.engine.graph.boundaries import SplitReason
from ipy_fastcompile.runtime import bind
from ipy_fastcompile.runtime.explain import failure_note

NEEDS_NOTES = pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have no notes")


def failure(call: Any) -> tuple[BaseException, str]:
    """The error of a call and its traceback as Python prints it."""
    with pytest.raises(Exception) as caught:
        call()
    return caught.value, "".join(traceback.format_exception(caught.value))


class Lookup(nn.Module):
    """Fails in an op for an index out of range, and for a batch that is all zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(4, 8)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        rows = self.table(ids)  # the line of the user's model
        return rows.relu() + 1


def line_of(text: str) -> int:
    lines = Path(__file__).read_text("utf-8").splitlines()
    return next(n for n, line in enumerate(lines, 1) if line.endswith(text))


USERS_LINE = "rows = self.table(ids)  # the line of the user's model"


@pytest.fixture(scope="module")
def inlined() -> Any:
    ids = torch.tensor([0, 1])
    return fc.compile(Lookup().eval(), (ids,), split_at=lambda _: SplitReason("test"))


def test_an_error_in_an_inlined_op_shows_the_generated_and_the_users_line(inlined: Any) -> None:
    error, text = failure(lambda: inlined(torch.tensor([9, 1])))
    assert isinstance(error, IndexError)  # what eager raises
    assert "torch.ops.aten.embedding.default(" in text
    assert f"# test_explain.py:{line_of(USERS_LINE)} in forward: rows = self.table(ids)" in text
    assert 'File "<execution code ' in text


@NEEDS_NOTES
def test_the_note_names_submodule_line_and_source(inlined: Any) -> None:
    error, text = failure(lambda: inlined(torch.tensor([9, 1])))
    (note,) = error.__notes__
    assert note in text
    number = int(note.partition("line ")[2].partition(" ")[0])
    lines = inlined.execution_code.splitlines()
    assert "inlined_0(" in lines[number - 1]
    assert ", in submod_0: " in note
    assert f"test_explain.py:{line_of(USERS_LINE)} in forward: {USERS_LINE}" in note


def test_errors_of_anything_else_have_no_note(inlined: Any) -> None:
    error, _ = failure(lambda: inlined(torch.tensor([[9, 1]])))
    assert isinstance(error, fc.errors.InputError)
    assert not getattr(error, "__notes__", [])
    assert failure_note(ValueError("unrelated")) == ""


@pytest.mark.slow
def test_an_error_inside_a_native_kernel_shows_three_lines(tmp_path: Path) -> None:
    model = Lookup().eval()
    compiled = fc.compile(model, (torch.tensor([0, 1]),))
    path = tmp_path / "lookup.fastcompile"
    compiled.save(path)
    function = fc.load(path, model)
    assert function.kernel_ways == ("native",)
    error, text = failure(lambda: function(torch.tensor([9, 1])))
    assert isinstance(error, fc.errors.InputError)
    assert error.__cause__ is not None
    frames = traceback.extract_tb(error.__cause__.__traceback__)
    kernel = next(f for f in frames if f.filename.startswith("<kernel_0 "))
    execution = next(f for f in frames if f.filename.startswith("<execution code "))
    # The line of the execution code, the line of the kernel, and behind both the user's line.
    assert (execution.line or "").startswith("(add,) = kernel_0(")
    assert (kernel.line or "").startswith("cpp_fused_")
    users = f"test_explain.py:{line_of(USERS_LINE)}"
    assert users in (execution.line or "")
    assert "test_explain.py:" in (kernel.line or "")
    assert "<execution code " in text
    assert users in text


def test_generated_texts_stay_in_linecache(inlined: Any) -> None:
    inlined(torch.tensor([0, 1]))
    filename = next(name for name, entry in linecache.cache.items()
                    if name.startswith("<execution code ")
                    and "".join(entry[2]) == inlined.execution_code)  # fmt: skip
    linecache.checkcache()
    assert linecache.getline(filename, 1).startswith('"""Execution code of Lookup')


# --- as a file -----------------------------------------------------------------------------------


def test_the_text_runs_unchanged_as_a_file_beside_the_artifact(
    inlined: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Lookup().eval()
    ids = torch.tensor([0, 1])
    compiled = fc.compile(model, (ids,), split_at=lambda _: SplitReason("test"))
    compiled.save(tmp_path / "lookup.fastcompile")
    (tmp_path / "lookup_code.py").write_text(compiled.execution_code, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    code = importlib.import_module("lookup_code")

    fn = fc.load("lookup.fastcompile", model)
    forward = code.bind(*fn.parts)
    (found,) = forward(*code.check_inputs(fn.check, ids))

    with torch.no_grad():
        assert torch.equal(found, model(ids))
    with pytest.raises(fc.errors.InputError, match="Argument ids has dtype"):
        code.check_inputs(fn.check, ids.float())


@pytest.mark.slow
def test_the_text_runs_as_a_file_with_native_kernels(
    tiny_artifact: Path, tiny_model: Any, tiny_compiled: Any, tiny_ids: Any, tmp_path: Path
) -> None:
    file = tmp_path / "tiny_code.py"
    file.write_text(tiny_compiled.execution_code, "utf-8")
    spec = importlib.util.spec_from_file_location("tiny_code", file)
    assert spec is not None
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    fn = fc.load(tiny_artifact, tiny_model)
    outputs = code.bind(*fn.parts)(*code.check_inputs(fn.check, tiny_ids))
    expected = fn(tiny_ids)
    assert torch.equal(outputs[0], expected["logits"])
    assert torch.equal(outputs[1], expected["state"])


def test_inspect_and_pdb_read_the_lines_of_a_registered_text() -> None:
    text = "def doubled(x):\n    return x * 2\n\n\ndef halved(x):\n    return x / 2\n"
    code = bind.compile_text(text, "execution code")
    bind.register_text(code.co_filename, text)
    namespace = bind.run_code(code, {})
    assert inspect.getsource(namespace["halved"]) == "def halved(x):\n    return x / 2\n"
    lines = linecache.getlines(code.co_filename)
    assert (len(lines), list(lines)) == (6, text.splitlines(True))
    assert lines[1:2] == ["    return x * 2\n"]
    _, shown = failure(lambda: namespace["halved"]("text"))
    assert "return x / 2" in shown
