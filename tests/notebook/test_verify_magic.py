"""%fastcompile_verify: the report of a verification, and an error when it failed."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from ipy_fastcompile import errors
from ipy_fastcompile.verification import verify as verify_module
from ipy_fastcompile.verification.report import SizeVerdict, SubmoduleVerdict, VerifyReport


@pytest.fixture
def asked(magics: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is asked of `verify`, which says that submod_2 diverges where seq is 13."""
    calls: list[Any] = []

    def verify(path: Any, **options: Any) -> VerifyReport:
        calls.append((str(path), options))
        if path.name == "absent":
            raise errors.ArtifactNotFound("There is no artifact at absent.", "Check the path.")
        sizes = options["sizes"] or {"seq": [8]}
        verdicts = tuple(
            SizeVerdict((("seq", n),), (SubmoduleVerdict("submod_2", 1, 0.5 * (n == 13), n != 13),))
            for n in sizes["seq"]
        )
        return VerifyReport(str(path), "sha256:0", 0.003, (), ("native",), (), verdicts)

    monkeypatch.setattr(verify_module, "verify", verify)
    return calls


def test_a_report_is_shown_and_kept(asked: Any, run: Any, shell: InteractiveShell) -> None:
    cell = run("%fastcompile_verify a.fastcompile --sizes seq=2,64 -o report")
    assert cell.error is None
    assert cell.plain[0].endswith("\npass")
    assert "pass seq=64" in cell.plain[0]
    assert shell.user_ns["report"].passed
    nothing = {"reference": None, "write_reference": None, "trust": None}
    assert asked == [("a.fastcompile", {"sizes": {"seq": [2, 64]}, **nothing})]


def test_a_failure_is_shown_and_stops_the_notebook(asked: Any, run: Any) -> None:
    cell = run("%fastcompile_verify a.fastcompile --sizes seq=13")
    assert isinstance(cell.error, UsageError)
    assert "a.fastcompile failed" in str(cell.error)
    assert "the first that diverges is submod_2" in cell.plain[0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "path of an artifact is needed"),
        ("absent", "There is no artifact"),
        ("a --sizes seq", "names no sizes"),
        ("a --sise seq=2", "Did you mean --sizes"),
        ("a -o 2", "stores the result under a Python name"),
    ],
)
def test_mistakes_are_one_sentence(asked: Any, run: Any, line: str, said: str) -> None:
    cell = run(f"%fastcompile_verify {line}")
    assert isinstance(cell.error, UsageError)
    assert said in str(cell.error)


def test_help(asked: Any, run: Any) -> None:
    (text,) = run("%fastcompile_verify -h").plain
    assert "%fastcompile_verify llama.fastcompile" in text
    assert asked == []
