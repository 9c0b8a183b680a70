"""Parts that readers find, one by one -> a `ForeignArtifact`.

The draft keeps the limits: what is too much is said in `unread`, never dropped silently.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import islice

from . import limits
from .budget import Budget
from .dangers import RANKS, judge
from .kernels import kernels_in
from .records import (
    OUTPUT,
    ROLES,
    Binary,
    ForeignArtifact,
    ForeignKernel,
    ForeignText,
    Global,
    Unread,
    Value,
)

_MOST_UNREAD = 1_000
_MOST_FACTS = 2_000
_NATIVE = (
    (b"\x7fELF", "machine code (ELF)"),
    (b"\xcf\xfa\xed\xfe", "machine code (Mach-O)"),
    (b"\xce\xfa\xed\xfe", "machine code (Mach-O)"),
    (b"MZ", "machine code (PE)"),
)


@dataclass
class Draft:
    """What has been found so far."""

    path: str
    size: int
    format: str = ""
    version: str = ""
    sha256: str = ""
    loads_by: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    stamps: dict[str, str] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)
    texts: list[ForeignText] = field(default_factory=list)
    kernels: list[ForeignKernel] = field(default_factory=list)
    binaries: list[Binary] = field(default_factory=list)
    guards: dict[str, None] = field(default_factory=dict)  # in order, each once
    unread: dict[Unread, None] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    characters: int = 0

    def miss(self, where: str, why: str) -> None:
        """Say that something was not read."""
        if len(self.unread) < _MOST_UNREAD:
            self.unread[Unread(where[:500], why)] = None

    def value(self, kind: str, name: str, detail: str = "") -> None:
        """Add an input, output, parameter, buffer or constant."""
        if len(self.values) >= limits.MAX_ROWS:
            self.miss("values", f"only the first {limits.MAX_ROWS} are listed")
        else:
            self.values.append(Value(kind, name[:500], detail[:500]))

    def text(self, name: str, role: str, language: str, text: str) -> None:
        """Add a text; the kernels in it are added, too. The same text of one role is kept once."""
        if not text.strip():
            return
        if len(text) > limits.MAX_TEXT_BYTES:
            self.miss(name, f"only the first {limits.MAX_TEXT_BYTES} of {len(text)} characters")
            text = text[: limits.MAX_TEXT_BYTES]
        if any(known.role == role and known.text == text for known in self.texts[-200:]):
            return
        self.characters += len(text)
        full = self.characters > limits.MAX_TEXT_TOTAL or len(self.texts) >= limits.MAX_TEXTS
        if full:
            self.miss(name, "a text of it is not kept: the file has too many, or too long ones")
            return
        names = {known.name for known in self.texts}
        free = name
        for number in range(2, len(names) + 3):
            if free not in names:
                break
            free = f"{name} ({number})"
        self.texts.append(ForeignText(free, role, language, text))
        if role in (OUTPUT, "kernel source", "execution code"):
            for kernel in kernels_in(text, language, free):
                if len(self.kernels) >= limits.MAX_KERNELS:
                    self.miss(free, f"only the first {limits.MAX_KERNELS} kernels are listed")
                    break
                self.kernels.append(kernel)

    def binary(self, name: str, data: bytes, kind: str = "") -> None:
        """Add bytes that are no text."""
        kind = kind or native_kind(data) or "bytes"
        self.binaries.append(Binary(name, kind, len(data), sha256(data).hexdigest()))

    def guard(self, text: str) -> None:
        """Add a guard: a condition under which the compiled code may be used."""
        text = " ".join(text.split())[:2_000]
        if text and text not in self.guards:
            if len(self.guards) >= limits.MAX_ROWS:
                self.miss("guards", f"only the first {limits.MAX_ROWS} are listed")
            else:
                self.guards[text] = None

    def finish(self) -> ForeignArtifact:
        """The record of all that was found."""
        for where, why in self.budget.notes:
            self.miss(where, why)
        facts = self._rows("facts", self.facts)
        stamps = tuple(row for row in self._rows("stamps", self.stamps) if row[1])
        if len(self.binaries) > limits.MAX_ROWS:
            self.miss("binaries", f"only the first {limits.MAX_ROWS} are listed")
        order = {role: number for number, role in enumerate(ROLES)}
        return ForeignArtifact(
            path=self.path,
            format=self.format,
            version=self.version,
            size=self.size,
            sha256=self.sha256,
            loads_by=self.loads_by,
            facts=facts,
            stamps=stamps,
            values=tuple(dict.fromkeys(self.values)),
            texts=tuple(sorted(self.texts, key=lambda text: order[text.role])),
            kernels=with_twins(self.kernels),
            binaries=tuple(self.binaries[: limits.MAX_ROWS]),
            guards=tuple(self.guards),
            globals=self._globals(),
            unread=tuple(self.unread),
        )

    def _rows(self, title: str, pairs: dict[str, str]) -> tuple[tuple[str, str], ...]:
        if len(pairs) > _MOST_FACTS:
            self.miss(title, f"only the first {_MOST_FACTS} of {len(pairs)} are listed")
        return tuple(islice(pairs.items(), _MOST_FACTS))

    def _globals(self) -> tuple[Global, ...]:
        found = []
        for name, use in self.budget.uses.items():
            danger = judge(name)
            found.append(
                Global(
                    name,
                    danger.rank,
                    RANKS[danger.rank],
                    danger.purpose,
                    use.count,
                    use.calls,
                    use.where,
                    use.is_computed,
                )
            )
        return tuple(sorted(found, key=lambda g: (g.rank, not g.is_computed, not g.calls, g.name)))


def native_kind(data: bytes) -> str:
    """What kind of machine code it is; empty for none."""
    return next((kind for magic, kind in _NATIVE if data.startswith(magic)), "")


def with_twins(kernels: list[ForeignKernel]) -> tuple[ForeignKernel, ...]:
    """The kernels, each source of one place once, with the number of their twins."""
    once = {(k.name, k.where, k.digest): k for k in kernels}
    # The same kernel in two copies of one text (a graph in two caches) is one kernel.
    distinct = {(k.name, k.text): k for k in reversed(once.values())}
    kept = [
        kernel for kernel in once.values() if distinct.get((kernel.name, kernel.text)) is kernel
    ]
    counts = Counter(kernel.digest for kernel in kept)
    return tuple(replace(kernel, twins=counts[kernel.digest]) for kernel in kept)
