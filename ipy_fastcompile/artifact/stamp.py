"""Two stamps -> every way in which this machine is not the one an artifact needs.

A stamp is a flat mapping of names to JSON values. Most must be equal; ``cpu_flags`` lists what
the kernels require, and a machine that has more is fine; ``vector_isa`` is what Inductor wrote C++
for, and matters only to a load that compiles it again; ``info.*`` is for reading only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..frozen import NamedTuple

CPU_FLAGS = "cpu_flags"
VECTOR_ISA = "vector_isa"
INFORMATION = "info."


class Difference(NamedTuple):
    """One entry of a stamp that does not fit.

    ``artifact`` is what the artifact needs and ``machine`` what is here, None where the machine
    has no such entry. For ``cpu_flags`` both are sorted lists of flags, ``artifact`` only those
    that are missing here.
    """

    name: str
    artifact: Any
    machine: Any


def compare_stamps(
    recorded: Mapping[str, Any], current: Mapping[str, Any]
) -> tuple[Difference, ...]:
    """All differences at once, in the order of ``recorded``.

    Entries that only ``current`` has are nothing that the artifact needs; a ``vector_isa`` that it
    lacks is none that this load needs.
    """
    found = []
    for name, needed in recorded.items():
        if name.startswith(INFORMATION) or (name == VECTOR_ISA and name not in current):
            continue
        present = current.get(name)
        if name == CPU_FLAGS:
            missing = sorted(set(_words(needed)) - set(_words(present)))
            if missing:
                found.append(Difference(name, missing, sorted(_words(present))))
        elif _plain(needed) != _plain(present) or (name not in current):
            found.append(Difference(name, needed, present))
    return tuple(found)


def explain(differences: tuple[Difference, ...]) -> str:
    """One line a difference: ``torch: made with 2.13.0, here 2.11.0``; empty without any."""
    from .inert import inert  # not on the way of a load that fits

    lines = []
    for difference in differences:
        if difference.name == CPU_FLAGS:
            has = ", ".join(map(_text, difference.machine)) or "none"
            lines.append(
                f"{CPU_FLAGS}: needs {', '.join(map(_text, difference.artifact))}, "
                f"which this CPU does not have (it has {has})"
            )
        else:
            here = _text(difference.machine)
            lines.append(
                f"{inert(difference.name)}: made with {_text(difference.artifact)}, here {here}"
            )
    return "\n".join(lines)


def _words(flags: Any) -> list[str]:
    if isinstance(flags, (list, tuple)):
        return [str(flag) for flag in flags]
    return [] if flags is None else str(flags).split()


def _plain(value: Any) -> Any:
    """As JSON gives it back: tuples are lists there, and True is not 1."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return (type(value).__name__, value) if isinstance(value, (bool, int, float)) else value


def _text(value: Any) -> str:
    from .inert import inert

    if value is None:
        return "nothing"
    return inert(value if isinstance(value, str) else repr(value))
