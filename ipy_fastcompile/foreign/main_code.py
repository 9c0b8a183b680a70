"""A `ForeignArtifact` -> the code that calls its kernels, from its first line to its last."""

from __future__ import annotations

import re

from .records import EXECUTION, GRAPH, OUTPUT, ForeignArtifact

# Where the code that calls kernels begins, by its language; what is before it is preparation.
_STARTS = {
    "cpp": re.compile(r"^void AOTInductorModel::run_impl\(", re.MULTILINE),
    "python": re.compile(r"^(?:    )?def (?:call|forward)\(", re.MULTILINE),
}
# And the first line behind it.
_ENDS = {
    "cpp": re.compile(r"^\} // AOTInductorModel::run_impl", re.MULTILINE),
    "python": re.compile(r"^\S", re.MULTILINE),
}


def main_code(artifact: ForeignArtifact) -> tuple[str, str]:
    """(text, language) of what calls the kernels: execution code, wrapper code or output code."""
    best = [t for t in artifact.texts if t.role == EXECUTION and t.language != "text"]
    best += [t for t in artifact.texts if t.role == OUTPUT]
    best += [t for t in artifact.texts if t.role == GRAPH]
    if not best:
        return "", "text"
    text = best[0]
    start = _STARTS[text.language].search(text.text) if text.language in _STARTS else None
    if start is None:
        return text.text, text.language
    end = _ENDS[text.language].search(text.text, start.end())
    stop = end.end() if end and text.language == "cpp" else end.start() if end else None
    return text.text[start.start() : stop].rstrip() + "\n", text.language
