"""Two artifacts side by side, as plain data: what they share, and where they differ."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from ..data import to_data
from ..views import view_of
from .records import ForeignArtifact


@dataclass(frozen=True)
class Near:
    """Two kernels that are alike, not equal: ``share`` of their lines, and what differs."""

    a: str
    b: str
    share: float
    diff: str


@dataclass(frozen=True)
class ValueChange:
    """A value of which the two say different things; empty where one says nothing."""

    kind: str
    name: str
    a: str
    b: str


@dataclass(frozen=True)
class ForeignComparison:
    """Two artifacts side by side; `str` gives it as text.

    ``shared`` pairs the names of kernels that compute the same; ``code_a`` and ``code_b`` are the
    execution code of each: what calls its kernels.
    """

    a: ForeignArtifact
    b: ForeignArtifact
    shared: tuple[tuple[str, str], ...]
    near: tuple[Near, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    values: tuple[ValueChange, ...]
    code_a: str
    code_b: str
    language_a: str
    language_b: str

    @property
    def is_equal(self) -> bool:
        """Whether both are the same bytes."""
        return bool(self.a.sha256) and self.a.sha256 == self.b.sha256

    @property
    def stamps(self) -> tuple[tuple[str, str, str], ...]:
        """Name, and what each says, of the stamps of which they say different things."""
        a, b = dict(self.a.stamps), dict(self.b.stamps)
        rows = ((name, a.get(name, "not said"), b.get(name, "not said")) for name in {**a, **b})
        return tuple(row for row in rows if row[1] != row[2])

    def to_json(self) -> str:
        """The comparison as JSON text; the artifacts in it by path, format and digest."""
        data = to_data(self)
        for side in ("a", "b"):
            kept = ("path", "format", "version", "size", "sha256")
            data[side] = {name: data[side][name] for name in kept}
        return json.dumps(data, ensure_ascii=True)

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write the comparison as one HTML file that needs no network and has no script."""
        view_of("ForeignComparison.to_html")(self, path)

    def __str__(self) -> str:
        return str(view_of("ForeignComparison.__str__")(self))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle: dict[str, str] = view_of("ForeignComparison._repr_mimebundle_")(self)
        return bundle
