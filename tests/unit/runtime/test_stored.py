"""Tensors that are stored in an artifact: read without the library, as the library reads them."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ipy_fastcompile.runtime.stored import read_tensors

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32,
    torch.int16, torch.int8, torch.uint8, torch.bool, torch.complex64,
]  # fmt: skip
SHAPES: list[tuple[int, ...]] = [(), (1,), (3, 5), (0,), (2, 0, 3), (1, 1, 7)]


def tensors() -> dict[str, torch.Tensor]:
    """One of each dtype and shape."""
    numbers = torch.Generator().manual_seed(0)
    return {
        f"{str(dtype)[6:]}.{'x'.join(map(str, shape))}": torch.randint(
            0, 100, shape, generator=numbers
        ).to(dtype)
        for dtype in DTYPES
        for shape in SHAPES
    }


def file_of(header: Any, content: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever imports the library now fails."""
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)


@pytest.mark.usefixtures("without_library")
def test_plain_tensors_are_read_without_the_library() -> None:
    written = tensors()
    found = read_tensors(save(written, {"made by": "a test"}))
    assert found.keys() == written.keys()
    for name, tensor in written.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        assert torch.equal(found[name], tensor), name
    assert read_tensors(save({})) == {}


@pytest.mark.usefixtures("without_library")
def test_tensors_have_memory_of_their_own_that_can_be_written() -> None:
    data = save({"a": torch.zeros(4), "b": torch.zeros(4)})
    first, second = read_tensors(data), read_tensors(data)
    first["a"].add_(1)
    assert first["b"].sum() == second["a"].sum() == 0


def test_what_is_not_plain_is_left_to_the_library() -> None:
    data = save({"a": torch.ones(4).to(torch.float8_e4m3fn), "b": torch.ones(2)})
    found = read_tensors(data)
    assert found.keys() == load(data).keys()
    assert found["a"].dtype is torch.float8_e4m3fn
    assert torch.equal(found["b"], torch.ones(2))


ROW = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        save({"a": torch.ones(4)})[:-1],
        save({"a": torch.ones(4)}) + b"\0",
        file_of([1, 2], bytes(8)),
        file_of({"a": ROW}, bytes(7)),
        file_of({"a": {**ROW, "data_offsets": [0, 4]}}, bytes(4)),
        file_of({"a": {**ROW, "data_offsets": [4, 12]}}, bytes(12)),
        file_of({"a": {**ROW, "shape": [-1, -2]}}, bytes(8)),
        file_of({"a": {**ROW, "shape": [2.0]}}, bytes(8)),
        file_of({"a": {**ROW, "shape": "2"}}, bytes(8)),
        file_of({"a": {**ROW, "dtype": "F31"}}, bytes(8)),
        file_of({"a": {"dtype": "F32"}}, bytes(8)),
        file_of({"a": ROW, "b": ROW}, bytes(8)),
    ],
)
def test_a_file_that_is_none_is_refused_as_the_library_refuses_it(data: bytes) -> None:
    with pytest.raises(SafetensorError):
        load(data)
    with pytest.raises(SafetensorError):
        read_tensors(data)
