"""Two compiles side by side: plain data."""

from __future__ import annotations

from .artifact.compare import ArtifactComparison
from .frozen import frozen
from .records import Report
from .views import view_of

# What it is, and what each of the two has there; empty where one has nothing.
Row = tuple[str, str, str]


@frozen
class KernelPair:
    """A kernel of each: one that computes the same, or two that run in the same place.

    ``same_code`` says whether Inductor wrote the same for both; ``diff`` is of what they compute
    where that differs, else of what Inductor wrote. None: there is no such kernel in that one.
    """

    program: str
    a: int | None
    b: int | None
    same: bool
    same_code: bool
    diff: str


@frozen
class CompileComparison:
    """Two compiles side by side; `str` shows it.

    ``first`` is the first thing that differs, in the order in which a compile comes to it; it is
    empty where nothing but times does. The rows name what differs, and what each has.
    ``files`` compares the two files, where both came from one.
    """

    a: Report
    b: Report
    names: tuple[str, str]
    first: str
    settings: tuple[Row, ...]
    split: tuple[Row, ...]
    kernels: tuple[KernelPair, ...]
    inductor: tuple[Row, ...]  # passes and fusions of kernels that are in both
    code: str  # a diff of the execution code
    sizes: tuple[Row, ...]
    times: tuple[Row, ...]
    files: ArtifactComparison | None = None

    @property
    def is_equal(self) -> bool:
        """Whether nothing but times differs."""
        return not self.first and (self.files is None or self.files.is_equal)

    def __repr__(self) -> str:
        return f"<{self.names[0]} beside {self.names[1]}: {self.first or 'equal but for times'}>"

    def __str__(self) -> str:
        text: str = view_of("CompileComparison.__str__")(self)
        return text

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle: dict[str, str] = view_of("CompileComparison._repr_mimebundle_")(self)
        return bundle
