"""A record in a terminal: the worst first."""

from __future__ import annotations

from pathlib import Path

from ipy_fastcompile.foreign.open import open_foreign
from tests.unit.foreign.hostile import RUN


def test_the_worst_global_comes_first(tmp_path: Path) -> None:
    for kind in ("reduce", "exec", "popen", "getattr and import_module"):
        record = open_foreign(RUN[kind](str(tmp_path / "canary")))
        assert record.globals[0].danger == "runs code"
        listed = str(record).splitlines()
        (title,) = [n for n, line in enumerate(listed) if line.startswith("loading would import")]
        assert listed[title + 1].split()[:2] == ["runs", "code"]
    assert list(tmp_path.iterdir()) == []
