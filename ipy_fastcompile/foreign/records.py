"""What a reader found in somebody else's artifact: plain data, every text of it a claim.

All classes are frozen and hold only text, numbers and tuples, so a record goes to JSON as it is.
`ForeignArtifact` shows itself: as text, JSON, one offline page, or in a notebook.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from ..data import to_data
from ..views import view_of

# What a text is, in the order in which texts are shown.
GRAPH = "graph"
EXECUTION = "execution code"
OUTPUT = "output code"
KERNEL = "kernel source"
SOURCE = "source"
METADATA = "metadata"
ROLES = (EXECUTION, GRAPH, OUTPUT, KERNEL, SOURCE, METADATA)


@dataclass(frozen=True)
class Value:
    """An input, output, parameter, buffer or constant: ``detail`` says dtype, shape and device."""

    kind: str
    name: str
    detail: str = ""


@dataclass(frozen=True)
class ForeignText:
    """A text in the file; ``role`` is one of `ROLES`, ``language`` "python", "cpp" or "text"."""

    name: str
    role: str
    language: str
    text: str


@dataclass(frozen=True)
class ForeignKernel:
    """A kernel's source.

    ``digest`` is that of what it computes: the source without comments, layout and its own name.
    ``twins`` counts the kernels of this file that have the same digest, itself among them.
    """

    name: str
    language: str
    text: str
    where: str
    digest: str
    twins: int = 1


@dataclass(frozen=True)
class Binary:
    """Bytes that are no text: machine code, tensors, bytecode. ``sha256`` is empty if not read."""

    name: str
    kind: str
    size: int
    sha256: str = ""


@dataclass(frozen=True)
class Global:
    """What loading the file would import: worst rank first.

    ``calls`` counts how often it would be called; ``is_computed`` names are made while it loads.
    """

    name: str
    rank: int
    danger: str
    purpose: str
    count: int
    calls: int
    where: str
    is_computed: bool = False


@dataclass(frozen=True)
class Unread:
    """What was not read, and why."""

    where: str
    why: str


@dataclass(frozen=True)
class ForeignArtifact:
    """Somebody else's artifact, read without loading it; nothing in it was imported or run.

    Attributes
    ----------
    path:
        Where it was read from; ``"<bytes>"`` for bytes.
    format:
        What it is, in words: ``"AOTInductor package"``.
    version:
        Of the format, and what wrote it, as far as the file says.
    size, sha256:
        Bytes, and the digest of a file; of a folder the sum, and no digest.
    facts, stamps:
        Label and text: what the file says of itself, and of the machine it was made on or needs.
    globals:
        What loading would import and call, worst first; empty where loading unpickles nothing.
    loads_by:
        What loading it does, in one sentence.
    """

    path: str
    format: str
    version: str
    size: int
    sha256: str
    loads_by: str
    facts: tuple[tuple[str, str], ...] = ()
    stamps: tuple[tuple[str, str], ...] = ()
    values: tuple[Value, ...] = ()
    texts: tuple[ForeignText, ...] = ()
    kernels: tuple[ForeignKernel, ...] = ()
    binaries: tuple[Binary, ...] = ()
    guards: tuple[str, ...] = ()
    globals: tuple[Global, ...] = ()
    unread: tuple[Unread, ...] = ()

    def text(self, name: str) -> str:
        """The text called ``name``, as it is in the file: make it inert before showing it.

        Raises KeyError when there is none.
        """
        for text in self.texts:
            if text.name == name:
                return text.text
        raise KeyError(name)

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps(to_data(self), ensure_ascii=True)

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write the record as one HTML file that needs no network and has no script."""
        view_of("ForeignArtifact.to_html")(self, path)

    def explore(self) -> Any:
        """The explorer widget, for a notebook: its pieces, their twins, graphs and kernels."""
        return view_of("ForeignArtifact.explore")(self)

    def to_folder(self, path: str | os.PathLike[str]) -> tuple[str, ...]:
        """Write its texts and kernel sources, byte for byte, as a folder; see `export.export`."""
        names: tuple[str, ...] = view_of("ForeignArtifact.to_folder")(self, path)
        return names

    def __str__(self) -> str:
        return str(view_of("ForeignArtifact.__str__")(self))

    def __repr__(self) -> str:
        return f"ForeignArtifact({self.path!r}, {self.format!r}, {self.size} bytes)"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle: dict[str, str] = view_of("ForeignArtifact._repr_mimebundle_")(self)
        return bundle
