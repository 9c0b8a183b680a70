"""A race beside a real terminal: the report at once, the table above the prompt when it is done."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pexpect = pytest.importorskip("pexpect")  # IPython's own, where there are terminals
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

START = (
    "import torch; from tests.tiny import TinyTransformer; torch.manual_seed(0); "
    "model = TinyTransformer().eval(); ids = torch.arange(8).reshape(1, 8)"
)
CALL = "%fastcompile --dynamic ids:1=seq --race {}model(ids);"
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\r]")


@pytest.fixture
def terminal(own_home: Path, tmp_path: Path) -> Iterator[Any]:
    arguments = ["-m", "IPython", "--no-banner", "--colors=NoColor", "--no-confirm-exit"]
    child = pexpect.spawn(
        sys.executable, arguments, encoding="utf-8", timeout=600, dimensions=(60, 200),
        cwd=str(tmp_path),
    )  # fmt: skip
    child.expect(r"In \[")
    yield child
    child.close(force=True)


def test_the_report_is_printed_at_once_and_the_table_when_it_is_done(terminal: Any) -> None:
    for line in ("%load_ext ipy_fastcompile", START, CALL.format("")):
        terminal.sendline(line)
    terminal.expect("Warm reload: timed beside this session|It is timed beside this session")
    terminal.sendline("print('answer', 6 * 7)")
    terminal.expect("answer 42")
    terminal.expect("Warm reload, on the machine that compiled")
    terminal.expect("Medians of .* Measured 20")
    terminal.sendline("print('next', 6 * 7)")
    terminal.expect("next 42")
    said = CODES.sub("", terminal.before)
    assert "Traceback" not in said


def test_a_command_waits_for_its_race(own_home: Path, tmp_path: Path) -> None:
    code = f"%load_ext ipy_fastcompile\n{START}\n{CALL.format('--force ')}"
    output, status = pexpect.run(
        f"{sys.executable} -m IPython --no-banner --colors=NoColor -c '{code}'",
        encoding="utf-8", timeout=600, withexitstatus=True, cwd=str(tmp_path),
    )  # fmt: skip
    assert status == 0, output
    assert "Warm reload, on the machine that compiled" in output
    assert "timed beside" not in output
