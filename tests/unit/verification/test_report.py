from __future__ import annotations

import dataclasses
import json

from ipy_fastcompile.verification.report import SizeVerdict, SubmoduleVerdict, VerifyReport


def test_a_report_without_a_size_has_not_passed() -> None:
    report = VerifyReport("a", "sha256:0", 0.0, (), (), (), ())
    assert not report.passed
    good = SizeVerdict((), (SubmoduleVerdict("submod_0", 0, 0.0, True),))
    assert dataclasses.replace(report, sizes=(good,)).passed
    assert not dataclasses.replace(report, sizes=(good,), problems=("no",)).passed


def test_names_of_a_stranger_are_inert() -> None:
    report = VerifyReport("a\x1b[31m", "sha256:0", 0.0, (), (), ("\u202enote",), (), ("\x07",))
    assert not any(c in str(report) for c in "\x1b\x07\u202e")
    assert json.dumps(str(report))
