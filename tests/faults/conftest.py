"""A signing key of its own for every test, so that none sees what another did to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "data_home"
    home.mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:  # a test may undo its own
        patch.setenv("XDG_DATA_HOME", str(home))
        yield home
