"""Pickles and copies of loaded functions and compiled models: they work, or say what to do."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from tests.unit.engine.nested_types import Box, Cell, State, cell_call

Made = tuple[Any, Any, Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A compiled model, its function loaded from a file, and the file."""
    model = Cell().eval()
    compiled = fc.compile(model, cell_call(3))
    path = tmp_path_factory.mktemp("again") / "a.fastcompile"
    compiled.save(path)
    return compiled, fc.load(path, model), path


def assert_same(found: Box, expected: Box) -> None:
    assert type(found) is Box
    assert type(found.inner[0]) is State
    assert torch.equal(found.inner[0].h, expected.inner[0].h)


@pytest.mark.parametrize(
    "again", [lambda f: pickle.loads(pickle.dumps(f)), copy.copy, copy.deepcopy]
)
def test_a_loaded_function_goes_through_pickle_and_copy(made: Made, again: Any) -> None:
    _, function, _ = made
    found = again(function)
    assert found is not function
    assert found.via == function.via
    assert_same(found(*cell_call(3)), function(*cell_call(3)))


def call_and_send(function: Any, connection: Any) -> None:
    connection.send(function(*cell_call(3)).inner[0].h.tolist())


def test_a_loaded_function_goes_to_a_spawned_process(made: Made) -> None:
    _, function, _ = made
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=call_and_send, args=(function, there))
    process.start()
    there.close()
    assert here.poll(200)
    found = here.recv()
    process.join(60)
    assert torch.allclose(torch.tensor(found), function(*cell_call(3)).inner[0].h)


@pytest.mark.parametrize("again", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_compiled_model_says_to_save_it(made: Made, again: Any) -> None:
    compiled, _, _ = made
    for thing in (compiled, compiled.function):
        with pytest.raises(TypeError, match=r"Save it with \.save\(path\)") as caught:
            again(thing)
        assert isinstance(caught.value, errors.NotPicklable)


def test_a_file_that_was_replaced_is_not_taken_for_the_old_one(made: Made, tmp_path: Path) -> None:
    compiled, _, path = made
    moved = tmp_path / "b.fastcompile"
    moved.write_bytes(path.read_bytes())
    model = Cell().eval()
    function = fc.load(moved, model, trust=f"sha256:{_digest(moved)}")
    data = pickle.dumps(function)
    compiled.save(moved)
    with pytest.raises(errors.ArtifactUntrusted):
        pickle.loads(data)
    with pytest.raises(errors.NotPicklable):
        pickle.dumps(function)
    moved.unlink()
    with pytest.raises(errors.ArtifactNotFound):
        pickle.loads(data)
    with pytest.raises(errors.NotPicklable, match="without its artifact"):
        pickle.dumps(function)


def _digest(path: Path) -> str:
    from hashlib import sha256

    return sha256(path.read_bytes()).hexdigest()
