"""Every case compiled once and saved; then all of them reloaded in one bare process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ipy_fastcompile.children.ask import ask
from ipy_fastcompile.children.environment import child_environment
from tests.architectures.zoo import BUILDERS


@dataclass(frozen=True)
class Compiled:
    """A compiled case and its file."""

    compiled: Any
    path: Path


@pytest.fixture(scope="session")
def compiled_cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Compiled]:
    """Compiles on first use: name -> `Compiled`."""
    return _Cases(tmp_path_factory.mktemp("cases"))


class _Cases(dict[str, Compiled]):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def __missing__(self, name: str) -> Compiled:
        import ipy_fastcompile as fc

        case = BUILDERS[name]()
        compiled = fc.compile(
            case.model, case.args, case.kwargs, dynamic=case.dynamic, split_at=case.split_at
        )
        path = self._folder / f"{name}.fastcompile"
        compiled.save(path)
        self[name] = Compiled(compiled, path)
        return self[name]


@pytest.fixture(scope="session")
def bare_reloads(
    compiled_cases: dict[str, Compiled], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What one process without compiler and cache says of every case: see `bare_reload.py`."""
    paths = {name: str(compiled_cases[name].path) for name in BUILDERS}
    return ask(
        ["-m", "tests.architectures.bare_reload"],
        paths,
        environment=child_environment(str(tmp_path_factory.mktemp("empty"))),
        timeout=1700,
    )
