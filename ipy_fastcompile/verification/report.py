"""what a verification found -> plain data and its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from ..artifact.inert import inert, inert_lines
from ..views import view_of


@dataclass(frozen=True)
class SubmoduleVerdict:
    """A submodule at one size: its kernel beside the same ops in eager, on the same inputs.

    ``kernel`` is None where the submodule is inlined. ``max_error`` is the largest absolute
    difference; ``where`` says which value is the first that is off, and is empty when it passed.
    """

    name: str
    kernel: int | None
    max_error: float
    passed: bool
    where: str = ""


@dataclass(frozen=True)
class SizeVerdict:
    """One call at one choice of sizes; of several programs, of the one that is named.

    ``max_error`` is of the whole model's outputs, and of what it writes to inputs and buffers,
    against eager from end to end. ``reference_error`` is against the saved outputs, None without
    them. ``problems`` say what is wrong beside the submodules, a sentence each.
    """

    sizes: tuple[tuple[str, int], ...]
    submodules: tuple[SubmoduleVerdict, ...] = ()
    max_error: float = 0.0
    reference_error: float | None = None
    problems: tuple[str, ...] = ()
    program: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything agreed."""
        return not self.problems and all(sub.passed for sub in self.submodules)

    @property
    def first_failure(self) -> SubmoduleVerdict | None:
        """The first submodule, in the order of the calls, that diverges."""
        return next((sub for sub in self.submodules if not sub.passed), None)


@dataclass(frozen=True, repr=False)
class VerifyReport:
    """What became of an artifact in a clean process, without compiler and with an empty cache.

    ``load`` is the native load in seconds; ``modules`` are those of PyTorch's compilers that the
    process imported; ``ways`` how every kernel was loaded.
    """

    path: str
    digest: str
    load: float
    modules: tuple[str, ...]
    ways: tuple[str, ...]
    notes: tuple[str, ...]
    sizes: tuple[SizeVerdict, ...]
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it loads natively and computes what eager does, at every size."""
        return not self.problems and bool(self.sizes) and all(s.passed for s in self.sizes)

    def __repr__(self) -> str:
        calls = f"{len(self.sizes)} call{'' if len(self.sizes) == 1 else 's'}"
        return f"<{inert(self.path)} verified by {calls}: {'pass' if self.passed else 'FAIL'}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle: dict[str, str] = view_of("VerifyReport._repr_mimebundle_")(self)
        return bundle

    def __str__(self) -> str:
        return inert_lines("\n".join(_lines(self)))


def size_label(sizes: Mapping[str, int]) -> str:
    """``batch=2, seq=8``."""
    return ", ".join(f"{name}={value}" for name, value in sizes.items()) or "the example's sizes"


def call_label(program: str, sizes: Mapping[str, int]) -> str:
    """``call_1 at batch=2, seq=8``; without the name where there is one program only."""
    return f"{program} at {size_label(sizes)}" if program else size_label(sizes)


def _lines(report: VerifyReport) -> list[str]:
    lines = [f"{report.path} · {report.digest[:19]}…"]
    if report.ways:
        ways = ", ".join(f"{len(list(group))} {way}" for way, group in groupby(sorted(report.ways)))
        compilers = ", ".join(report.modules) or "no compiler imported"
        lines.append(
            f"  loaded in {1000 * report.load:.1f} ms, PATH empty, Inductor cache empty: "
            f"kernels {ways}; {compilers}"
        )
    lines += [f"  {note}" for note in report.notes]
    for size in report.sizes:
        lines += _size_lines(size)
    lines += [f"  FAIL {problem}" for problem in report.problems]
    return [*lines, "pass" if report.passed else "FAIL"]


def _size_lines(size: SizeVerdict) -> list[str]:
    label = call_label(size.program, dict(size.sizes))
    reference = ""
    if size.reference_error is not None:
        reference = f", from the reference {size.reference_error:.1e}"
    verdict = "pass" if size.passed else "FAIL"
    ran = f": largest error {size.max_error:.1e}{reference}" if size.submodules else ""
    lines = [f"  {verdict} {label}{ran}"]
    lines += [f"    {problem}" for problem in size.problems]
    first = size.first_failure
    if first is not None:
        where = f" of {size.program}" if size.program else ""
        lines.append(f"    the first that diverges is {first.name}{where}")
    by_kernel: dict[int | None, list[SubmoduleVerdict]] = {}
    for submodule in size.submodules:
        by_kernel.setdefault(submodule.kernel, []).append(submodule)
    for kernel, submodules in by_kernel.items():
        name = "inlined" if kernel is None else f"kernel_{kernel}"
        good = [sub for sub in submodules if sub.passed]
        if good:
            worst = max(sub.max_error for sub in good)
            lines.append(f"    pass {name:<10} {_names(good)}: error {worst:.1e}")
        lines += [
            f"    FAIL {name:<10} {sub.name}: error {sub.max_error:.1e} in {inert(sub.where)}"
            for sub in submodules
            if not sub.passed
        ]
    return lines


def _names(submodules: list[SubmoduleVerdict]) -> str:
    if len(submodules) <= 3:
        return ", ".join(sub.name for sub in submodules)
    return f"{submodules[0].name} … {submodules[-1].name} ({len(submodules)} submodules)"
