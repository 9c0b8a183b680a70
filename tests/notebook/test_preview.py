"""``--preview``: a cell shows what compiling its call would make, and goes on with the model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell


@pytest.mark.usefixtures("real")
def test_a_preview_is_shown_and_kept_and_the_model_is_called(
    shell: InteractiveShell, run: Any, tiny_model: Any, tiny_ids: Any
) -> None:
    cell = run(
        "%%fastcompile --preview --split-at aten::linear -o seen\nout = model(ids)['logits']"
    )
    assert cell.error is None
    torch.testing.assert_close(shell.user_ns["out"], tiny_model(tiny_ids)["logits"])
    seen = shell.user_ns["seen"]
    assert [split.label for split in seen.splits] == ["the default", "aten::linear"]
    (text,) = cell.plain
    assert text == str(seen)
    assert text.startswith("Preview of TinyTransformer")


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(
    "options", ["--save x.fastcompile", "--force", "--assert-warm", "--race", "-m model"]
)
def test_what_a_preview_cannot_do_is_refused(run: Any, options: str) -> None:
    cell = run(f"%%fastcompile --preview {options}\nmodel(ids)")
    assert isinstance(cell.error, UsageError)
    assert str(cell.error).startswith("--preview ")


@pytest.mark.usefixtures("real")
def test_an_op_that_is_not_there_is_told_in_a_sentence(run: Any) -> None:
    cell = run("%%fastcompile --preview --split-at aten::nothing\nmodel(ids)")
    assert isinstance(cell.error, UsageError)
    assert "the graph has no such op" in str(cell.error)
