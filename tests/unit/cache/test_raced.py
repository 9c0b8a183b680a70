"""What a race found is told by the next hit, and never in the way of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ipy_fastcompile.artifact import open_artifact
from ipy_fastcompile.cache.cached import compile_cached
from ipy_fastcompile.cache.raced import keep_race
from ipy_fastcompile.records import ReloadRecord

pytestmark = pytest.mark.slow

DAY = {"measured": "2026-11-27T12:00:00+00:00", "machine": "a CPU, 2 cores"}
RECORDS = tuple(
    ReloadRecord(path, 3, (("kernels", 0.001),), 0.007, 0.03, 0.009, **DAY)
    for path in ("native", "torch", "fx")
)


def test_the_next_hit_tells_what_a_race_of_the_entry_found(
    tiny_model: Any, tiny_ids: Any, store: Any, compiles: list[Any]
) -> None:
    def cached() -> Any:
        return compile_cached(tiny_model, (tiny_ids,), dynamic={"ids": {1: "seq"}}, store=store)

    first = cached()
    before = cached()
    assert before.hit
    assert before.model.report.reloads == ()
    path = store.path_of(first.key)
    kernels = {n: open_artifact(path).read(n) for n in open_artifact(path).names if "blob" in n}

    assert keep_race(store, first.key, RECORDS)
    found = cached()
    assert found.hit
    assert found.model.report.reloads == RECORDS
    assert replace(found.model.report, reloads=()) == before.model.report
    assert {name: open_artifact(path).read(name) for name in kernels} == kernels
    assert found.model(tiny_ids)["logits"].shape == (1, 8, 64)

    # As shipped is another kind; the newest of a kind stays.
    shipped = replace(RECORDS[0], shipped=True)
    assert keep_race(store, first.key, (shipped,))
    newer = tuple(replace(record, load=0.006) for record in RECORDS)
    assert keep_race(store, first.key, newer)
    assert cached().model.report.reloads == (shipped, *newer)
    assert len(compiles) == 1

    # Somebody compiles it anew: that entry replaces this one, and has a race of its own.
    with store.lock(store.key_of(first.key)) as held:
        assert held
        assert not keep_race(store, first.key, RECORDS)
    path.write_bytes(b"damaged")
    assert not keep_race(store, first.key, RECORDS)
    path.unlink()
    assert not keep_race(store, first.key, RECORDS)
    assert not path.exists()
