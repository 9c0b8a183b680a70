"""Random graphs: the execution code computes, bit by bit, what FX's interpreter computes.

Two thousand graphs in a run, each split at random; every fourth also goes through an artifact. The
seed of the run is printed. ``FASTCOMPILE_SEED=<seed> python -m pytest tests/property`` replays it.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings, strategies as st
from torch.utils import _pytree as pytree

import ipy_fastcompile as fc
from ipy_fastcompile.artifact import save_artifact
from ipy_fastcompile.engine.code.codegen import generate_execution_code
from ipy_fastcompile.engine.graph.boundaries import SplitReason
from ipy_fastcompile.engine.graph.split import split
from ipy_fastcompile.engine.pack import pack
from ipy_fastcompile.engine.program import CompiledProgram
from ipy_fastcompile.runtime.load import load_parts
from ipy_fastcompile.runtime.nests import flatten
from tests.property.programs import EXAMPLE, OTHER, Program, build_program
from tests.stitching import interpret, lower_without_compiler, stitch

SEED = int(os.environ.get("FASTCOMPILE_SEED") or int.from_bytes(os.urandom(4), "big"))
GRAPHS = 2000
COUNTS = {"graphs": 0, "nodes": 0, "other sizes": 0, "artifacts": 0, "files": 0}


@pytest.fixture(scope="module", autouse=True)
def announce(pytestconfig: pytest.Config) -> Any:
    """The seed and what was covered, whether or not output is captured."""
    yield
    capture = pytestconfig.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        counts = ", ".join(f"{number:,} {what}" for what, number in COUNTS.items())
        print(f"\nrandom graphs: {counts}; FASTCOMPILE_SEED={SEED} replays them")


@pytest.fixture(scope="module", autouse=True)
def quiet_torch() -> Any:
    """Building tries arguments that ops refuse; torch would log each refusal at length."""
    loggers = [
        logging.getLogger(f"torch.{name}") for name in ("__trace", "_subclasses.fake_tensor")
    ]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    yield
    for logger, value in zip(loggers, before, strict=True):
        logger.disabled = value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("random")


def copies(leaves: list[Any]) -> list[Any]:
    return [x.clone() if isinstance(x, torch.Tensor) else x for x in leaves]


def assert_same(expected: Any, found: Any, what: str) -> None:
    """Equal in type, dtype, shape, strides and every bit; NaN equals NaN."""
    assert type(expected) is type(found), (what, expected, found)
    if not isinstance(expected, torch.Tensor):
        assert repr(expected) == repr(found), what
        return
    for attribute in ("dtype", "shape", "device"):
        assert getattr(expected, attribute) == getattr(found, attribute), what
    assert expected.stride() == found.stride(), what
    same = (expected == found) | ((expected != expected) & (found != found))
    assert bool(same.all()), (what, expected, found)


def expected_of(program: Program, sizes: dict[str, int]) -> tuple[list[Any], list[Any]] | None:
    """Outputs and inputs after the call, by FX's interpreter; None for sizes it cannot run at."""
    leaves = pytree.tree_leaves(program.arguments(sizes))
    parameters = {name: t.clone() for name, t in program.parameters.items()}
    try:
        outputs = interpret(program.captured, parameters, leaves)
    except (RuntimeError, IndexError, ValueError):
        assert sizes is not EXAMPLE
        return None
    return list(outputs), [*leaves, *parameters.values()]


def check_stitched(program: Program, choose: Random, sizes: dict[str, int]) -> bool:
    """A random split, its kernels the graphs themselves."""
    expected = expected_of(program, sizes)
    if expected is None:
        return False
    graph = split(
        program.captured, lambda _: SplitReason("test") if choose.random() < 0.4 else None
    )
    parameters = {name: t.clone() for name, t in program.parameters.items()}
    nodes = {n.name: n for n in graph.graph_module.graph.nodes}
    used = [
        parameters[p.placeholder] for p in program.captured.parameters if nodes[p.placeholder].users
    ]
    leaves = copies(pytree.tree_leaves(program.arguments(sizes)))
    stitched = stitch(graph, used)
    outputs = stitched.call(*leaves)
    for number, pair in enumerate(zip(expected[0], outputs, strict=True)):
        assert_same(*pair, f"output {number}\n{stitched.code.text}")
    for number, pair in enumerate(zip(expected[1], [*leaves, *parameters.values()], strict=True)):
        assert_same(*pair, f"input {number} after the call\n{stitched.code.text}")
    return True


def check_artifact(program: Program, folder: Path, *, file: bool) -> None:
    """Everything inlined, packed, loaded, and called with the nest of arguments it has."""
    expected = expected_of(program, EXAMPLE)
    assert expected is not None
    graph = split(program.captured, lambda _: SplitReason("test"))
    lowered = lower_without_compiler(graph)
    assert not lowered.kernels
    packed = pack([CompiledProgram("", lowered, generate_execution_code(lowered))])
    source = {
        p.name: program.parameters[p.placeholder].clone() for p in program.captured.parameters
    }
    if file:
        path = folder / "random.fastcompile"
        save_artifact(path, packed.manifest, packed.members)
        function = fc.load(path, source)
    else:
        function = load_parts(packed, source)
    args, kwargs = program.arguments(EXAMPLE)
    found = flatten(function(*args, **kwargs))
    assert found.nest == program.captured.result
    for number, pair in enumerate(zip(expected[0], found.leaves, strict=True)):
        assert_same(*pair, f"output {number}")


@seed(SEED)
@settings(
    max_examples=GRAPHS,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(number=st.integers(0, 2**32 - 1), steps=st.integers(0, 12))
def check_random_graph(folder: Path, number: int, steps: int) -> None:
    program = build_program(number, steps)
    choose = Random(number)
    COUNTS["graphs"] += 1
    COUNTS["nodes"] += len(program.captured.graph_module.graph.nodes)
    assert check_stitched(program, choose, EXAMPLE)
    if not program.specialised:
        COUNTS["other sizes"] += check_stitched(program, choose, OTHER)
    if number % 4 == 0:
        file = number % 32 == 0
        check_artifact(program, folder, file=file)
        COUNTS["artifacts"] += 1
        COUNTS["files"] += file


def test_random_graphs_compute_what_fx_computes(folder: Path) -> None:
    check_random_graph(folder=folder)
    assert COUNTS["graphs"] >= GRAPHS
