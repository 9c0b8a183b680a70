"""texts of an artifact -> their code objects as bytes, compared with the texts.

A load of the Python that wrote them runs the code objects and shows the texts, so the two must say
the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType

from ...errors import GrammarError
from ...runtime import bind


def store_code_of(members: Mapping[str, bytes], kinds: Mapping[str, str]) -> bytes:
    """The code objects of texts, as `runtime.bind.stored_code` reads them.

    Parameters
    ----------
    members:
        The members of the artifact, texts among them.
    kinds:
        Name of a text's member -> what tracebacks call it.

    Raises GrammarError naming a text whose code object reads back as another one.
    """
    codes = {m: bind.compile_text(members[m].decode(), kind) for m, kind in kinds.items()}
    data = bind.store_code(codes)
    check_code(codes, bind.stored_code(data))
    return data


def check_code(codes: Mapping[str, CodeType], stored: Mapping[str, CodeType]) -> None:
    """Refuse stored code objects that are not those of their texts, naming the text."""
    for member in {*codes, *stored}:
        code, found = codes.get(member), stored.get(member)
        # File names, which tell a load which text the code is of, are no part of the equality.
        if code is None or found is None or code != found or not _is_named_alike(code, found):
            raise GrammarError(
                f"The code object stored for {member} is not that of its text.",
                "Compile the model again, and report it.",
                member=member,
            )


def _is_named_alike(code: CodeType, found: CodeType) -> bool:
    inner = zip(code.co_consts, found.co_consts, strict=True)
    return code.co_filename == found.co_filename and all(
        _is_named_alike(a, b) for a, b in inner if isinstance(a, CodeType)
    )
