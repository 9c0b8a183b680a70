"""text of an artifact -> its code object: stored by the same Python, or else compiled now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import CodeType

from . import bind
from .request import Request

CodeOf = Callable[[str, str], CodeType]


def code_reader(requests: Sequence[Request]) -> CodeOf:
    """``code_of(member, kind)``; ``kind`` names the text in tracebacks, which show its lines.

    ``requests`` are those for the programs of one artifact, which share texts.
    """
    parts = requests[0].parts
    stored: dict[str, CodeType] = {}
    for request in requests:
        if request.program.code and request.program.python == bind.python_tag():
            stored |= bind.stored_code(request.unsqueezed(request.program.code))

    def code_of(member: str, kind: str) -> CodeType:
        text = parts.read(member).decode("utf-8", "replace")
        filename = bind.member_filename(kind, parts.digest_of(member))
        code = stored.get(member)
        if code is None or code.co_filename != filename:  # another Python, or an edited text
            code = bind.compile_text(text, kind)
        bind.register_text(code.co_filename, text)
        return code

    return code_of
