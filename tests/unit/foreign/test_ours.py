"""One of our own artifacts, as the record that is laid beside somebody else's."""

from __future__ import annotations

from pathlib import Path

from ipy_fastcompile.artifact import save_artifact
from ipy_fastcompile.artifact.inspect import REPORT, inspect
from ipy_fastcompile.artifact.squeeze import squeeze
from ipy_fastcompile.foreign.ours import as_foreign
from ipy_fastcompile.foreign.records import EXECUTION, OUTPUT
from tests.unit.show.sample import sample_report
from tests.unit.show.sample_programs import sample_programs


def test_the_kernels_of_every_program_are_in_it_each_once(tmp_path: Path) -> None:
    members = {
        "execution.py": b"first = 1\n",
        "programs/1/execution.py": b"second = 2\n",
        REPORT: squeeze(sample_programs(2).to_json().encode()),
    }
    save_artifact(tmp_path / "two", {}, members)
    found = as_foreign(inspect(tmp_path / "two"))
    assert [t.text for t in found.texts if t.role == EXECUTION] == ["first = 1\n", "second = 2\n"]
    outputs = [text.name for text in found.texts if text.role == OUTPUT]
    assert outputs == [
        *(f"call_0: kernel {n}: output code" for n in range(3)),
        "call_1: kernel 1: output code",  # the first one is call_0's
    ]
    # Its only source is one of call_0's, too, and was found there.
    assert {kernel.where for kernel in found.kernels} == set(outputs[:3])


def test_a_single_program_needs_no_name(tmp_path: Path) -> None:
    members = {"execution.py": b"", REPORT: squeeze(sample_report(2).to_json().encode())}
    save_artifact(tmp_path / "one", {}, members)
    found = as_foreign(inspect(tmp_path / "one"))
    assert {kernel.where for kernel in found.kernels} == {
        f"kernel {n}: output code" for n in range(3)
    }
