from __future__ import annotations

import os
from pathlib import Path

from tests.benchmarks.children import run_child

_ENVIRONMENT = """
import json, os
names = ("PATH", "CXX", "TORCHINDUCTOR_CACHE_DIR")
seen = {name: os.environ.get(name) for name in names}
cache = seen["TORCHINDUCTOR_CACHE_DIR"]
print(json.dumps({**seen, "files": os.listdir(cache)}))
"""


def run(script: str, *, cache: Path | None = None, timeout: float = 300.0) -> dict[str, object]:
    return run_child(["-c", script], {}, cache=cache, timeout=timeout)


def test_a_shipped_child_has_no_compiler_and_an_empty_cache() -> None:
    answer = run(_ENVIRONMENT)
    assert (answer["PATH"], answer["CXX"], answer["files"]) == ("", "/nonexistent", [])
    assert not Path(str(answer["TORCHINDUCTOR_CACHE_DIR"])).exists()
    assert float(str(answer["wall"])) > 0


def test_any_other_child_has_the_cache_it_is_given(tmp_path: Path) -> None:
    answer = run(_ENVIRONMENT, cache=tmp_path / "new")
    assert answer["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "new")
    assert answer["PATH"] == os.environ["PATH"]


def test_a_child_that_fails_is_an_answer(tmp_path: Path) -> None:
    answer = run("raise ValueError('no such op')", cache=tmp_path)
    assert answer["error"] == "ended with code 1; its last words: ValueError: no such op"
    assert float(str(answer["wall"])) > 0
    assert str(run("import time; time.sleep(600)", timeout=0.1)["error"]).startswith("was stopped")
