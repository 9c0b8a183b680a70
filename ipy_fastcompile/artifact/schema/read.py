"""manifest -> Program: what a load needs to know, each field checked for its type.

The manifest is JSON that a stranger may have written; everything in it is checked here before
anything is executed, so a wrong one is `ManifestCorrupt` and never an accident further down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import ArtifactCorrupt


@dataclass(frozen=True)
class KernelEntry:
    """One kernel: how each path gets it. Members are names in the artifact."""

    name: str
    digest: str
    native: bool
    why: str
    text: str
    libraries: tuple[tuple[str, str], ...]  # (name in the text, member)
    launches: tuple[dict[str, Any], ...]
    torch: str
    submodule: str
    sizes: tuple[tuple[tuple[int, ...], KernelEntry], ...] = ()


@dataclass(frozen=True)
class Program:
    """The loadable part of a manifest."""

    signature: dict[str, Any]
    symbols: tuple[tuple[str, int, int | None, int], ...]
    conditions: tuple[str, ...]  # on sizes, in words; `check_inputs` checks them
    parameters: tuple[list[Any], ...]
    # (name of a parameter, another name whose memory it is, offset in elements, its shape or None)
    ties: tuple[tuple[str, str, int, list[int] | None], ...]
    written: tuple[str, ...]  # parameters and buffers that a call writes to
    written_inputs: tuple[int, ...]
    default_dtype: str  # "" where the default dtype changes nothing
    stored: str
    constants: tuple[list[Any], ...]
    kernels: tuple[KernelEntry, ...]
    ops: dict[str, str]
    execution: str
    code: str
    python: str
    fx: str
    example: tuple[Any, ...]
    stitched: tuple[str, ...]  # kernels' places in the split graph: submodule -> kernel, in order
    stamp: dict[str, Any]
    model: str


def read_program(manifest: Mapping[str, Any], path: str) -> Program:
    """The program part of a manifest.

    Raises `ArtifactCorrupt` naming the field that is missing or of another type.
    """
    reader = _Reader(manifest.get("program"), path, "program")
    kernels = tuple(
        _read_kernel(_Reader(entry, path, f"program.kernels[{i}]"))
        for i, entry in enumerate(reader.get("kernels", list))
    )
    signature = reader.get("signature", dict)
    _check_signature(_Reader(signature, path, "program.signature"))
    return Program(
        signature=signature,
        symbols=tuple(map(tuple, reader.rows("symbols", 4))),
        conditions=tuple(map(str, reader.get("conditions", list))),
        parameters=tuple(reader.rows("parameters", 6)),
        ties=tuple((str(a), str(b), int(n), shape) for a, b, n, shape in reader.rows("ties", 4)),
        written=tuple(map(str, reader.get("written", list))),
        written_inputs=tuple(reader.get("written_inputs", list)),
        default_dtype=reader.get("default_dtype", str),
        stored=reader.get("stored", str),
        constants=tuple(reader.rows("constants", 6)),
        kernels=kernels,
        ops={str(k): str(v) for k, v in reader.get("ops", dict).items()},
        execution=reader.get("execution", str),
        code=reader.get("code", str),
        python=reader.get("python", str),
        fx=reader.get("fx", str),
        example=tuple(reader.get("example", list)),
        stitched=tuple(map(str, reader.get("stitched", list))),
        stamp=_Reader(dict(manifest), path, "manifest").get("stamp", dict),
        model=reader.get("model", str),
    )


def _check_signature(reader: _Reader) -> None:
    for name in ("argument_names", "keywords", "inputs"):
        reader.get(name, list)
    for name in ("in_tree", "out_tree", "out_kind"):
        reader.get(name, str)
    reader.get("n_positional", int)
    reader.get("flat", bool)
    reader.get("defaults", dict)
    for entry in reader.get("inputs", list):
        _Reader(entry, reader.path, f"{reader.where}.inputs").get("path", str)


def _read_kernel(reader: _Reader, nested: bool = False) -> KernelEntry:
    sizes = []
    for position, entry in enumerate([] if nested else reader.get("sizes", list)):
        inner = _Reader(entry, reader.path, f"{reader.where}.sizes[{position}]")
        values = tuple(inner.get("at", list))
        sizes.append((values, _read_kernel(inner, nested=True)))
    return KernelEntry(
        name=reader.get("name", str),
        digest=reader.get("digest", str),
        native=reader.get("native", bool),
        why=reader.get("why", str),
        text=reader.get("text", str),
        libraries=tuple((str(a), str(b)) for a, b in reader.rows("libraries", 2)),
        launches=tuple(reader.get("launches", list)),
        torch=reader.get("torch", str),
        submodule=reader.get("submodule", str),
        sizes=tuple(sizes),
    )


class _Reader:
    """Typed access to an object of the manifest."""

    def __init__(self, data: Any, path: str, where: str) -> None:
        self.path = path
        self.where = where
        if not isinstance(data, dict):
            raise self._wrong(f"{where} is no object")
        self._data = data

    def _wrong(self, what: str) -> ArtifactCorrupt:
        return ArtifactCorrupt(
            f"The manifest of {self.path} is not one that this version writes: {what}.",
            "Save the artifact again.",
            path=self.path,
        )

    def get(self, name: str, kind: type) -> Any:
        value = self._data.get(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self._wrong(f"{self.where}.{name} is missing or no {kind.__name__}")
        return value

    def rows(self, name: str, width: int) -> list[list[Any]]:
        rows: list[Any] = self.get(name, list)
        for row in rows:
            if not isinstance(row, list) or len(row) != width:
                raise self._wrong(f"{self.where}.{name} has a row that is no list of {width}")
        return rows
