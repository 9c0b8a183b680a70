"""The table of faults names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_the_table_names_tests_that_exist() -> None:
    table = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \|(.*)\|$", table, re.MULTILINE)
    numbers = [int(number) for number, _ in rows]
    assert numbers == list(range(1, 42))
    defined = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = re.findall(r"`(test_\w+)`", table)
    assert len(named) > len(rows)
    assert [name for name in named if name not in defined] == []
    for number, text in rows:
        assert re.search(r"`test_\w+`", text), f"fault {number} has no test"
