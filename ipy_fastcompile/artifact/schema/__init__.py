"""The manifest of an artifact as records: what `pack` writes, and what everything else reads.

`records` are the fields, `read` makes them of JSON data and `write` gives it back. Every field is
checked once, here; FORMAT.md, in the folder above, says what each means.
"""

from __future__ import annotations

from .read import read_key, read_leniently, read_manifest, read_program, read_programs
from .records import (
    Common,
    ExampleOther,
    ExampleTensor,
    ExampleValue,
    Input,
    KernelEntry,
    KeyEntry,
    Launch,
    Library,
    Manifest,
    Member,
    Model,
    Program,
    Signature,
    Symbol,
    TensorSpec,
    TensorSpecs,
    Tie,
    View,
)

__all__ = [
    "Common",
    "ExampleOther",
    "ExampleTensor",
    "ExampleValue",
    "Input",
    "KernelEntry",
    "KeyEntry",
    "Launch",
    "Library",
    "Manifest",
    "Member",
    "Model",
    "Program",
    "Signature",
    "Symbol",
    "TensorSpec",
    "TensorSpecs",
    "Tie",
    "View",
    "read_key",
    "read_leniently",
    "read_manifest",
    "read_program",
    "read_programs",
]
