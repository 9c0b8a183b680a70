"""stack traces that torch recorded -> the lines of the user's model."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from ... import directories
from ...records import Source

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>.+)')
_FX_TEXT = "<eval_with_key>"  # code that FX generated while tracing
_COMMENT_WIDTH = 140


def read_source(trace: str | None) -> Source | None:
    """The innermost line of the user's model in a stack trace.

    Lines of torch itself, ``F.linear(input, self.weight)`` for instance, are not the user's; they
    count only where there is no other. Those of this package, which calls the model, never do.
    """
    found: list[Source] = []
    lines = (trace or "").splitlines()
    for position, line in enumerate(lines):
        frame = _FRAME.search(line)
        if frame and not frame["file"].startswith(directories.OWN):
            text = lines[position + 1].strip() if position + 1 < len(lines) else ""
            text = "" if _FRAME.search(text) else text
            found.append(Source(frame["file"], int(frame["line"]), frame["function"], text))
    users = [s for s in found if not s.file.startswith((directories.TORCH, _FX_TEXT))]
    found = users or found
    return found[-1] if found else None


def place(source: Source) -> str:
    """``modeling_llama.py:310 in forward``: without the directories of whoever compiled it."""
    function = f" in {source.function}" if source.function else ""
    return f"{Path(source.file).name}:{source.line}{function}"


def cited(source: Source | None) -> str:
    """The place and the line in brackets, to follow what is said of it; nothing without one."""
    return f" ({place(source)}: {source.text})" if source else ""


def clean(text: str) -> str:
    """Text that cannot leave the comment or docstring it is written into."""
    plain = "".join(c if c.isprintable() and c.isascii() else "?" for c in text)
    return plain.replace('"""', "'''").replace("\\", "/")


def comment(sources: Sequence[Source | None]) -> str:
    """``  # modeling_llama.py:310 in forward: hidden = self.norm(hidden)``, or nothing.

    Several lines of the user's model that became one line are listed, the text of the last alone.
    """
    distinct = list(dict.fromkeys(s for s in sources if s is not None))
    if not distinct:
        return ""
    *earlier, last = distinct
    before = "".join(f"{Path(s.file).name}:{s.line}, " for s in earlier[-3:])
    text = f": {last.text}" if last.text else ""
    return f"  # {clean(before + place(last) + text)[:_COMMENT_WIDTH]}"


# --- Inductor's output code ----------------------------------------------------------------------


def kernel_lines(
    output_code: str, line_map: Sequence[tuple[int, str]]
) -> dict[int, tuple[Source, ...]]:
    """Line of output code (from 1) that runs a kernel -> the user's lines it came from.

    Inductor notes where the work on each node begins (``line_map``). It writes the call of a C++
    kernel only when the next external kernel is due, after that one's note; so the last note before
    a C++ kernel is the external kernel's, when that has no other.
    """
    calls = _kernel_calls(output_code)
    notes: dict[int, list[Source]] = {line: [] for line, _ in calls}
    for line, trace in line_map:
        source = read_source(trace)
        call = next((at for at, _ in calls if at >= line), None)
        if source is not None and call is not None:
            notes[call].append(source)
    for (line, queued), (after, _) in itertools.pairwise(calls):
        if queued and len(notes[line]) > 1 and not notes[after]:
            notes[after].append(notes[line].pop())
    return {line: tuple(dict.fromkeys(found)) for line, found in notes.items() if found}


def _kernel_calls(output_code: str) -> list[tuple[int, bool]]:
    """(line, whether it is a C++ kernel) of every call in output code that runs something."""
    found: list[tuple[int, bool]] = []
    for function in ast.walk(ast.parse(output_code)):
        if not isinstance(function, ast.FunctionDef) or function.name != "call":
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                is_cpp = name.startswith("cpp_")
                is_op = name.startswith(("extern_kernels.", "torch.ops.", "aten."))
                if is_cpp or is_op or name.endswith(".run"):
                    found.append((node.lineno, is_cpp))
    return sorted(set(found))
