"""Files of other tools are called what they are; damaged artifacts are still called damaged."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import ipy_fastcompile as fc
from ipy_fastcompile.artifact import save_artifact
from ipy_fastcompile.errors import ContainerCorrupt


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.txt", "hello")


def _program(path: Path) -> None:
    torch.export.save(torch.export.export(torch.nn.ReLU(), (torch.ones(2),)), str(path))


WRITERS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    ".pt": (lambda p: torch.save({"a": torch.ones(2)}, p), "torch.save", "torch.load"),
    ".pt2": (_program, "torch.export.save", "torch.export.load"),
    ".safetensors": (lambda p: save_file({"a": torch.ones(2)}, p), "safetensors", "load_file"),
    ".zip": (_zip, "an ordinary ZIP", "unzip"),
    ".pkl": (lambda p: p.write_bytes(pickle.dumps(["x"] * 20)), "a pickle", "wrote it"),
    ".npy": (lambda p: np.save(p, np.ones(30)), "a NumPy array", "numpy.load"),
    ".json": (lambda p: p.write_text('{"a": "0123456789 0123456789"}'), "JSON", "wrote it"),
    ".onnx": (lambda p: p.write_bytes(b"\x08\x07\x12\x07pytorch" * 9), "ONNX", "onnxruntime"),
    ".gguf": (lambda p: p.write_bytes(b"GGUF\x03" + bytes(60)), "GGUF", "llama.cpp"),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_of_another_tool_is_called_so(suffix: str, tmp_path: Path) -> None:
    write, what, reader = WRITERS[suffix]
    path = tmp_path / f"x{suffix}"
    write(path)
    with pytest.raises(ContainerCorrupt, match="is not an artifact of ipy_fastcompile") as caught:
        fc.load(path, {})
    assert what in caught.value.what
    assert reader in caught.value.hint
    assert "Copy the file again" not in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-30],
        lambda data: data + b"more",
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"text, which has no mark " * 9,
        lambda data: b"PK\3\4" + b"\xff" * 90,
    ],
)
def test_what_has_no_mark_of_another_tool_is_called_damaged(
    damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a"
    save_artifact(path, {}, {"a.txt": b"some text"})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ContainerCorrupt, match="Copy the file again"):
        fc.load(path, {})
