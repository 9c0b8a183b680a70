"""Code -> the kernels in it, and what each computes: its source without name, layout and comments.

Three writers are known: Inductor's Python output code (C++ and Triton sources in strings), the
files of C++ kernels of an AOTInductor package, and Triton source on its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256

from .records import ForeignKernel

_IN_PYTHON = re.compile(r"^(\w{1,300}) = async_compile\.(\w{1,40})\(", re.MULTILINE)
_CPP_HEAD = re.compile(
    r"^extern \"C\"[ \t]{1,8}(?:__attribute__\(\([^)\n]{0,80}\)\)[ \t]*|AOTI_\w+[ \t]+)?"
    r"void[ \t]{1,8}(\w{1,300})\(",
    re.MULTILINE,
)
_TRITON_HEAD = re.compile(r"^def (\w{1,300})\(", re.MULTILINE)
# How far behind `async_compile.cpp_pybinding([types], ` the source may begin.
_REACH = 20_000

_QUOTES = re.compile(r"'''|\"\"\"")
_BODY_START = re.compile(r"[{;]")
_BRACES = re.compile(r"[{}]")
_COMMENT_STARTS = re.compile(r"//|/\*")
_HASHES = re.compile(r"#[^\n]*")
_DIRECTIVES = re.compile(r"^[ \t]*#[ \t]*(?:include|pragma)\b[^\n]*", re.MULTILINE)
_CPP_NOISE = re.compile(
    r"extern\s+\"C\"|__attribute__\(\([^)]{0,80}\)\)|\bAOTI_\w+\b|\bkernel\b(?=\s*\()|\binline\b"
)
_DEBUG = re.compile(r"'(?:kernel_name|backend_hash|kernel_num_gb|kernel_flop)': [^,}\n]{0,300},?")
_SPACE = re.compile(r"\s+")


def kernels_in(text: str, language: str, where: str) -> Iterator[ForeignKernel]:
    """The kernels in a text of ``language`` ("python" or "cpp"), in order."""
    if language == "python":
        yield from _in_output_code(text, where)
    elif language == "cpp":
        yield from _in_cpp(text, where)


def _in_output_code(text: str, where: str) -> Iterator[ForeignKernel]:
    # A source belongs to the last head before it, so that a long text is searched once.
    last = 0
    heads = _IN_PYTHON.finditer(text)
    head = next(heads, None)
    while head is not None:
        following = next(heads, None)
        reach = min(head.end() + _REACH, following.start() if following else len(text))
        opening = _QUOTES.search(text, head.end(), reach) if head.start() >= last else None
        if opening is not None:
            end = text.find(opening[0], opening.end())
            if end < 0:
                return
            last = end
            name, maker = head.groups()
            source = text[opening.end() : end]
            language = "python" if "triton" in maker or "@triton" in source else "cpp"
            yield make_kernel(name, language, source, where)
        head = following


def _in_cpp(text: str, where: str) -> Iterator[ForeignKernel]:
    last = 0
    for match in _CPP_HEAD.finditer(text):
        if match.start() < last:
            continue
        start = _BODY_START.search(text, match.end())
        if start is None:
            return
        if start[0] == ";":
            continue  # a declaration
        last = _body_end(text, start.start())
        if not last:
            return
        yield make_kernel(match[1], "cpp", text[match.start() : last], where)


def _body_end(text: str, brace: int) -> int:
    """Where the body that opens at ``brace`` ends; 0 where it does not."""
    depth = 0
    for match in _BRACES.finditer(text, brace):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.end()
    return 0


def _without_comments(source: str) -> str:
    """C++ without its comments; each character is looked at once, whatever is not closed."""
    pieces, at = [], 0
    for match in _COMMENT_STARTS.finditer(source):
        if match.start() < at:
            continue
        pieces.append(source[at : match.start()])
        closing = "\n" if match[0] == "//" else "*/"
        end = source.find(closing, match.end())
        if end < 0:
            return "".join(pieces)
        at = end if match[0] == "//" else end + 2
    return "".join([*pieces, source[at:]])


def make_kernel(name: str, language: str, source: str, where: str) -> ForeignKernel:
    """The record of one kernel."""
    digest = sha256(normalise(name, language, source).encode("utf-8", "replace")).hexdigest()
    return ForeignKernel(name, language, source, where, digest)


def normalise(name: str, language: str, source: str) -> str:
    """What a kernel computes, as text: equal texts compute the same from the same arguments.

    Two kernels that compute the same may still differ here; the other way round it is exact, but
    for functions that their headers define.
    """
    if language == "cpp":
        source = _DIRECTIVES.sub("", _without_comments(source))
        source = re.sub(rf"\b{re.escape(name)}\b", "", source)
        source = _CPP_NOISE.sub("", source)
    else:
        source = _DEBUG.sub("", source)
        source = _HASHES.sub("", source)
        head = _TRITON_HEAD.search(source)
        for own in filter(None, (name, head and head[1])):
            source = re.sub(rf"\b{re.escape(own)}\b", "KERNEL", source)
        source = re.sub(r"KERNEL_?\b", "KERNEL", source)
        # The layout of Python is part of what it says.
        return "\n".join(line.rstrip() for line in source.splitlines() if line.strip())
    # Blanks only count between two words.
    return re.sub(r"(?<=\W) | (?=\W)", "", _SPACE.sub(" ", source)).strip()
