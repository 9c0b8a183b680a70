"""What a compile does to the garbage collector."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import pytest

from ipy_fastcompile.engine import heap


@pytest.mark.parametrize(
    ("frozen", "freezes"), [(0, True), (375, True), (250_000, False)], ids=["3.11", "3.12", "user"]
)
def test_the_heap_is_frozen_unless_somebody_did_that(
    frozen: int, freezes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fake = SimpleNamespace(
        get_freeze_count=lambda: frozen,
        freeze=lambda: calls.append("freeze"),
        unfreeze=lambda: calls.append("unfreeze"),
    )
    monkeypatch.setattr(heap, "gc", fake)
    with heap.settled_heap():
        assert calls == (["freeze"] if freezes else [])
    assert calls == (["freeze", "unfreeze"] if freezes else [])


def test_python_itself_freezes_fewer_objects_than_torch_makes() -> None:
    assert len(gc.get_objects()) > heap._FROZEN_AT_START
