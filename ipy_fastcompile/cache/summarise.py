"""the components in which two keys differ -> the one to three facts that a reader acts on.

A cause comes before what follows from it: of a model that got wider, the number in its
configuration is told, and not the shapes of its parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ..artifact.inert import inert
from .changes import Change
from .line_changes import CODE, LineChange, became, shown

_FACTS = 3
_JOINED = 2  # of a component, in one fact beside those of others
_TENSOR = re.compile(
    r"(?:(?:parameter|buffer) (?:\(not saved\) )?)?"
    r"torch\.(\w+)(\[[^\]]*\])( strides \[[^\]]*\])? ?(.*)"
)
_SOURCE, _PACKAGE = "source:", "package:"
_PARAMETERS, _INPUTS, _STRUCTURE = "parameters", "inputs", "structure"
# What is asked for, then what may be edited, then what is around. Parameters follow from the rest.
_ORDER = (
    "ipy_fastcompile", "stamp", "call", "split_at", "dynamic", "sizes", _SOURCE, "values",
    _STRUCTURE, _INPUTS, "flags", "inductor config", "export config", "environment", _PACKAGE,
    _PARAMETERS,
)  # fmt: skip
# Lines that follow from others of their component, by the beginning of their names.
_FOLLOWING = ("fp32 precision ", "seen", "varied together", "containers")


def summarise(changes: Sequence[Change]) -> tuple[str, ...]:
    """A fact for each of the components that tell most, or those of a single one; three at most."""
    known = {change.component for change in changes}
    told = [c for c in changes if c.component != _PARAMETERS or _STRUCTURE not in known]
    told = [c for c in told if c.old is not None and c.new is not None] or told
    if any(c.component == _INPUTS and c.kinds for c in told):  # which says it of both
        told = [c for c in told if c.component == _INPUTS or c.differing or not c.kinds]
    # Another call reaches the same of a package in another order.
    told = [c for c in told if not _is_reordered_package(c)] or told
    if len(told) != 1:
        return tuple(_joined(change) for change in sorted(told, key=_rank)[:_FACTS])
    facts = _facts(told[0])[:_FACTS]
    if len(changes) == 1 and told[0].differing and all(map(_only_sizes, told[0].differing)):
        facts[-1] += " (dynamic= lets sizes vary)"
    return tuple(facts)


def _is_reordered_package(change: Change) -> bool:
    is_text = change.old is not None and change.new is not None
    return change.component.startswith(_PACKAGE) and is_text and not change.differing


def _rank(change: Change) -> int:
    name = change.component
    if name.startswith(_PACKAGE) and _version(change) is not None:
        return 0
    kind = next((k for k in (_SOURCE, _PACKAGE) if name.startswith(k)), name)
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _joined(change: Change) -> str:
    """What became of a component, on one line."""
    facts = _facts(change)
    rest = len(facts) - _JOINED
    line = "; ".join(facts[:_JOINED])
    return f"{line}; and {rest} more" if rest > 0 else line


def _facts(change: Change) -> list[str]:
    """What became of a component, a fact each, the most telling first."""
    name = change.component
    if change.kinds:
        return list(change.kinds)
    if not change.differing:
        return [f"{inert(name)}: {line}" for line in change.lines]
    if name.startswith(_SOURCE):
        lines = [line for line in change.differing if not line.place.startswith(CODE)]
        return list(map(str, lines or change.differing))
    if name.startswith(_PACKAGE):
        return _of_package(change)
    return _OF.get(name, _of_named)(change)


def _of_named(change: Change) -> list[str]:
    """The lines that differ, behind the name of their component."""
    lines = sorted(change.differing, key=lambda line: line.name.startswith(_FOLLOWING))
    name = inert(change.component)
    return [str(line) if name in (line.name, "stamp") else f"{name}: {line}" for line in lines]


def _of_structure(change: Change) -> list[str]:
    """What became of attributes, equal ones as one; of a configuration's nothing that follows."""
    groups: dict[tuple[str, str | None, str | None], list[LineChange]] = {}
    for line in change.differing:
        attribute = line.name.rpartition(".")[2] or line.name
        groups.setdefault((attribute, line.old, line.new), []).append(line)
    ranked = sorted(groups.values(), key=lambda lines: _attribute_rank(lines[0]))
    configured = [lines for lines in ranked if _attribute_rank(lines[0])[0] == 0]
    return [
        f"{lines[0]} (in {len(lines)} modules)" if len(lines) > 1 else str(lines[0])
        for lines in configured or ranked
    ]


def _attribute_rank(line: LineChange) -> tuple[int, bool, int]:
    """Values of a configuration, other values, whole modules; of equals, what is near the top."""
    is_value = line.old is not None and line.new is not None and "children" not in line.name
    is_private = line.name.rpartition(".")[2].startswith("_")
    kind = 2 if not is_value else 0 if ".config." in line.name else 1
    return kind, is_private, line.name.count(".")


def _of_inputs(change: Change) -> list[str]:
    lines = [line for line in change.differing if not line.name.endswith("containers")]
    return list(map(_of_tensor, lines or change.differing))


def _of_parameters(change: Change) -> list[str]:
    """What became of all that differ, where that is one thing; else each of them."""
    lines = [line for line in change.differing if any(_tensors(line))] or change.differing
    pairs = list(map(_tensors, lines))
    for group in (1, 4):  # dtype, device
        turned = {(a[group], b[group]) if a and b else None for a, b in pairs}
        only = turned.pop() if len(turned) == 1 else None
        if only and only[0] != only[1]:
            noun = "parameter" if len(pairs) == 1 else "parameters"
            return [f"{len(pairs)} {noun}: {became(*only)}"]
    return [f"parameters: {_of_tensor(line)}" for line in lines]


def _of_tensor(line: LineChange) -> str:
    """``args[0]: float32[2, 8] -> float32[3, 8]``; strides only where nothing else differs."""
    a, b = _tensors(line)
    if a is None or b is None:
        return str(line)
    parts = [(m[1] + m[2], m[4] or "", (m[3] or "").strip()) for m in (a, b)]
    for old, new in zip(*parts, strict=True):
        if old != new:
            return f"{line.place}{shown(line.name)}: {became(old, new)}"
    return str(line)


def _tensors(line: LineChange) -> tuple[re.Match[str] | None, re.Match[str] | None]:
    return _TENSOR.fullmatch(line.old or ""), _TENSOR.fullmatch(line.new or "")


def _only_sizes(line: LineChange) -> bool:
    """Whether a tensor differs in the sizes of its dimensions alone."""
    a, b = _tensors(line)
    return bool(a and b and a[1] == b[1] and a[2].count(",") == b[2].count(",") and a[2] != b[2])


def _of_package(change: Change) -> list[str]:
    """``transformers 5.23.0 -> 5.24.0``, or the files that differ in one version."""
    name = inert(change.component.removeprefix(_PACKAGE))
    version = _version(change)
    if version:
        return [f"{name} {version}"]
    both = [line for line in change.differing if line.old is not None and line.new is not None]
    files = [line.name.removeprefix("file ") for line in both if line.name.startswith("file ")]
    edited = [f"{shown(file)} of {name} was edited" for file in files]
    return edited or [f"{name}: {line}" for line in change.differing]


def _of_this_package(change: Change) -> list[str]:
    version = _version(change)
    return [f"ipy_fastcompile {version}" if version else "the source of ipy_fastcompile differs"]


def _version(change: Change) -> str | None:
    for line in change.differing:
        if line.name == "version" and line.old is not None and line.new is not None:
            return became(line.old, line.new)
    return None


_OF: dict[str, Callable[[Change], list[str]]] = {
    _STRUCTURE: _of_structure,
    _INPUTS: _of_inputs,
    _PARAMETERS: _of_parameters,
    "ipy_fastcompile": _of_this_package,
}
