from __future__ import annotations

import pytest

from ipy_fastcompile.artifact.units import format_bytes


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (812_544, "813 kB"), (999_600, "1 MB"),
     (1_500_000, "1.5 MB"), (1_210_000_000, "1.21 GB"), (10**10, "10 GB"),
     (5 * 10**15, "5000 TB"), (-3, "-3 B")],
)  # fmt: skip
def test_sizes_are_readable(size: int, text: str) -> None:
    assert format_bytes(size) == text
