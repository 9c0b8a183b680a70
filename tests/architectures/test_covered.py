"""Common models are covered by the cache: none is compiled every time."""

from __future__ import annotations

import pytest

from tests.architectures.covered import MODELS, ask


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in MODELS if not n.startswith("shape ")])
def test_the_cache_covers(name: str) -> None:
    ((_, uncovered, _),) = ask((name,))
    assert uncovered == ()
