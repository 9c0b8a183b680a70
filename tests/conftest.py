"""Fixtures that every part shares: a home of its own, and one small model, compiled once."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes is the machine's affair, and no example is wrong for it.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def patient_collector() -> Iterator[None]:
    """A process that holds torch and twenty compiled models takes long to walk: less often, then.

    Tests that make a million small objects, such as syntax trees, take a fifth of the time.
    """
    before = gc.get_threshold()
    gc.set_threshold(20_000, 20, 50)
    yield
    gc.set_threshold(*before)


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The signing key, the cache and IPython's profile of the tests are not those of the user."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "IPYTHONDIR", "JUPYTER_DATA_DIR"):
            folder = home / name.lower()
            folder.mkdir(mode=0o700)
            patch.setenv(name, str(folder))
        patch.setenv("JUPYTER_PATH", "")
        # What a child process imports is the package under test, installed or not.
        root = str(Path(__file__).parent.parent)
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [root, os.getenv("PYTHONPATH")])))
        yield home


@pytest.fixture(scope="module", autouse=True)
def left_as_found() -> Iterator[None]:
    """What a file of tests sets for the whole process, it also takes back: the order is free."""
    before = _process_state()
    yield
    after = _process_state()
    assert {name: after[name] for name in before} == before


def _process_state() -> dict[str, Any]:
    """What tests have set for the whole process and forgotten; absent where nothing is imported."""
    state: dict[str, Any] = {
        "event loop": asyncio._get_running_loop() is not None,
        "folder": Path.cwd(),
        "disabled loggers": sorted(
            name
            for name, logger in logging.Logger.manager.loggerDict.items()
            if isinstance(logger, logging.Logger) and logger.disabled
        ),
    }
    if (np := sys.modules.get("numpy")) is not None and hasattr(np, "get_printoptions"):
        state["NumPy's print options"] = np.get_printoptions()
    if (torch := sys.modules.get("torch")) is not None and hasattr(torch, "get_default_dtype"):
        state["gradients"] = torch.is_grad_enabled()
        state["default dtype"] = torch.get_default_dtype()
        state["deterministic"] = torch.are_deterministic_algorithms_enabled()
        state["threads"] = torch.get_num_threads()
    return state


@pytest.fixture(scope="session")
def tiny_model() -> Any:
    """Two attention layers of width 32, in evaluation mode: as small as a split model can be."""
    import torch

    from tests.tiny import TinyTransformer

    torch.manual_seed(0)
    return TinyTransformer().eval()


@pytest.fixture(scope="session")
def tiny_ids() -> Any:
    """Token ids for `tiny_model`, shape [1, 8], int64."""
    import torch

    return torch.arange(8).reshape(1, 8)


@pytest.fixture(scope="session")
def tiny_compiled(tiny_model: Any, tiny_ids: Any) -> Any:
    """`tiny_model` compiled for any sequence length; takes C++ compiles, so once for all tests."""
    import ipy_fastcompile as fc

    return fc.compile(tiny_model, (tiny_ids,), dynamic={"ids": {1: "seq"}})


@pytest.fixture(scope="session")
def tiny_artifact(tiny_compiled: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny_compiled`, saved; tests copy it before they change it."""
    path = tmp_path_factory.mktemp("artifact") / "tiny.fastcompile"
    tiny_compiled.save(path)
    return path


@pytest.fixture(scope="session")
def foreign_samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file or folder of each format that the installed torch writes, made by one child."""
    from tests.foreign_samples import make

    return make(tmp_path_factory.mktemp("foreign") / "samples")


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """An empty cache."""
    from ipy_fastcompile.cache.store import Store

    return Store(tmp_path / "cache")


@pytest.fixture
def compiles(monkeypatch: pytest.MonkeyPatch, tiny_compiled: Any) -> list[Any]:
    """Compiling through the cache gives copies of `tiny_compiled`, and is counted."""
    from ipy_fastcompile.cache import build
    from tests.tiny import another

    made: list[Any] = []

    def compile(*args: Any, **options: Any) -> Any:
        made.append(another(tiny_compiled))
        return made[-1]

    monkeypatch.setattr(build, "compile", compile)
    return made
