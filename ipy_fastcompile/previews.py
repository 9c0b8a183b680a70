"""What a compile would make of a call, for one or more ways to split it: plain data."""

from __future__ import annotations

from .frozen import frozen
from .records import NearTwin, Symbol
from .views import view_of

# Seconds, the lowest and the highest that is likely.
Range = tuple[float, float]


@frozen
class Piece:
    """A submodule to be. ``kernel`` is None where it would be inlined.

    ``reason`` says why there is a boundary before it, and ``crossing`` how many bytes of
    intermediate values cross that boundary, at the example sizes: values from before it that
    something behind it reads.
    """

    name: str
    reason: str
    module: str
    n_nodes: int
    kernel: int | None
    crossing: int


@frozen
class PlannedKernel:
    """A kernel to be, the pieces that would share it, and what it would take to compile.

    ``seconds`` is None where there is nothing to tell it by; ``is_known`` says that this very
    kernel was compiled on this machine before.
    """

    index: int
    digest: str
    pieces: tuple[int, ...]
    n_nodes: int
    near_twin: NearTwin | None
    seconds: Range | None
    is_known: bool


@frozen
class SplitPreview:
    """One way to split; ``label`` says which."""

    label: str
    pieces: tuple[Piece, ...]
    kernels: tuple[PlannedKernel, ...]
    cold: Range | None  # seconds of the whole compile

    @property
    def twins(self) -> int:
        """How many pieces need no kernel of their own."""
        return sum(len(kernel.pieces) - 1 for kernel in self.kernels)


@frozen
class Preview:
    """What a compile would make of a call; `str` shows it.

    ``priced_from`` counts the kernels whose times the prices were told by.
    """

    model: str
    n_nodes: int
    symbols: tuple[Symbol, ...]
    capture_seconds: float
    splits: tuple[SplitPreview, ...]
    priced_from: int

    def __repr__(self) -> str:
        ways = ", ".join(f"{s.label}: {len(s.kernels)} kernels" for s in self.splits)
        return f"<preview of {self.model}, split at {ways}>"

    def __str__(self) -> str:
        text: str = view_of("Preview.__str__")(self)
        return text

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle: dict[str, str] = view_of("Preview._repr_mimebundle_")(self)
        return bundle
