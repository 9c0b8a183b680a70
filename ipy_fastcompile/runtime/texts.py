"""text of an artifact -> its code object: stored by the same Python, or else compiled now."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType

from . import bind
from .request import Request

CodeOf = Callable[[str, str], CodeType]


def code_reader(request: Request) -> CodeOf:
    """``code_of(member, kind)``; ``kind`` names the text in tracebacks, which show its lines."""
    program = request.program
    stored: dict[str, CodeType] = {}
    if program.code and program.python == bind.python_tag():
        stored = bind.stored_code(request.unsqueezed(program.code))

    def code_of(member: str, kind: str) -> CodeType:
        text = request.parts.read(member).decode("utf-8", "replace")
        filename = bind.member_filename(kind, request.parts.digest_of(member))
        code = stored.get(member)
        if code is None or code.co_filename != filename:  # another Python, or an edited text
            code = bind.compile_text(text, kind)
        bind.register_text(code.co_filename, text)
        return code

    return code_of
