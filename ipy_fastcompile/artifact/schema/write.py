"""Records of a manifest -> the JSON data that `read` takes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from .records import (
    ExampleOther,
    ExampleTensor,
    ExampleValue,
    Input,
    KernelEntry,
    Manifest,
    ManifestData,
    Program,
    TensorSpecs,
)


def manifest_data(manifest: Manifest) -> ManifestData:
    """The manifest as plain data, its fields in the order of the records."""
    data = ManifestData(as_data(manifest))
    if manifest.key is None:
        del data["key"]
    return data


def as_data(value: Any) -> Any:
    """A record, or a tuple of them, as JSON has it."""
    if isinstance(value, TensorSpecs):
        return list(map(as_data, value))
    if isinstance(value, KernelEntry):
        return {**_object(value), "sizes": [_variant(*sized) for sized in value.sizes]}
    if isinstance(value, Program):
        stitched = [f"{submodule} {kernel}" for submodule, kernel in value.stitched.items()]
        return {**_object(value), "stitched": stitched}
    if dataclasses.is_dataclass(value):
        return _object(value)
    if isinstance(value, Mapping):
        return {name: as_data(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return _row(value)
    return value


def _object(record: Any) -> dict[str, Any]:
    return {
        field.name: as_data(getattr(record, field.name)) for field in dataclasses.fields(record)
    }


def _variant(sizes: tuple[int, ...], kernel: KernelEntry) -> dict[str, Any]:
    """A variant has no variants itself, and says which sizes it is for."""
    data = _object(kernel)
    del data["sizes"]
    return {**data, "at": list(sizes)}


def _row(row: tuple[Any, ...]) -> Any:
    """Most rows are lists; these have a form of their own."""
    if isinstance(row, Input):
        return {"path": row.path} | ({} if row.dims is None else {"dims": list(row.dims)})
    if isinstance(row, ExampleTensor):
        return ["tensor", *map(as_data, row)]
    if isinstance(row, ExampleOther):
        return ["other", row.text]
    if isinstance(row, ExampleValue):
        is_text = isinstance(row.value, float) and not math.isfinite(row.value)
        return ["float", repr(row.value)] if is_text else ["value", row.value]
    return list(map(as_data, row))
