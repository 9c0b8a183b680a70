"""A model for ``torch.compile``, run beside eager: results, what it writes, what it prints."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile.backend.fastcompile import fastcompile
from ipy_fastcompile.backend.graphs import Graph


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> fc.Store:
    return fc.Store(tmp_path_factory.mktemp("graphs"))


@dataclass
class Beside:
    """A function compiled beside the same in eager mode; ``graphs`` are those of this test."""

    store: fc.Store
    before: int

    @property
    def graphs(self) -> tuple[Graph, ...]:
        return fc.graphs()[self.before :]

    def compile(self, model: Any, **options: Any) -> Any:
        given = {"store": self.store, **options.pop("options", {})}
        return torch.compile(model, backend=fastcompile, options=given, **options)

    def check(
        self, compiled: Any, model: Any, *calls: Callable[[], tuple[Any, ...]], grad: bool = False
    ) -> None:
        """Call both with equal arguments: same results, arguments afterwards, and prints."""
        for make in calls:
            torch.manual_seed(7)
            args = make()
            torch.manual_seed(7)
            others = make()
            said, also_said = io.StringIO(), io.StringIO()
            with torch.set_grad_enabled(grad):
                with redirect_stdout(said):
                    expected = model(*args)
                with redirect_stdout(also_said):
                    found = compiled(*others)
            assert also_said.getvalue() == said.getvalue()
            torch.testing.assert_close((found, others), (expected, args), rtol=1e-4, atol=1e-5)


@pytest.fixture
def beside(store: fc.Store) -> Iterator[Beside]:
    torch._dynamo.reset()
    yield Beside(store, len(fc.graphs()))
    torch._dynamo.reset()


@pytest.fixture(scope="session")
def entry_point(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH in which the backend is installed, as pyproject.toml says it is."""
    root = Path(fc.__file__).parents[1]
    lines = (root / "pyproject.toml").read_text().partition("[project.entry-points.")[2]
    group, _, rest = lines.partition("]\n")
    folder = tmp_path_factory.mktemp("installed")
    info = folder / "ipy_fastcompile-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ipy_fastcompile\nVersion: 0\n")
    (info / "entry_points.txt").write_text(
        f"[{group}]\n{rest.partition(chr(10) + '[')[0]}".replace('"', "")
    )
    return folder
