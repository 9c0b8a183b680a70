"""a model that runs -> what it asks torch about its surroundings, with the answers and the lines.

A branch on an answer is decided once. Whether gradients are recorded, autocast is on, or a graph is
traced is another thing around the call of a compiled model than it was while that was compiled.
"""

from __future__ import annotations

import contextlib
import linecache
from collections.abc import Iterator, Sequence
from typing import Any

from ...frozen import frozen
from ...records import Source
from ...torch_compat import questions
from ..code.sources import cited
from .library import is_library

_DEFAULT_DTYPE = "torch.get_default_dtype()"


@frozen
class Question:
    """What a line of the user's asks, ``torch.is_grad_enabled()``, and the answer as it is written.

    ``source`` is the line.
    """

    words: str
    answer: str
    source: Source

    def __str__(self) -> str:
        return f"{self.words} is {self.answer}{cited(self.source)}"


class QuestionBook:
    """Notes what the user's own lines ask; libraries ask often, to be right in any case."""

    def __init__(self) -> None:
        self._asked: dict[Question, None] = {}

    @property
    def asked(self) -> tuple[Question, ...]:
        """The questions, each once, in order."""
        return tuple(self._asked)

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Note what is asked meanwhile, in this thread."""
        self._asked = {}
        with questions.noticed(self.note):
            yield

    def note(self, words: str, answer: Any, frame: Any) -> None:
        """Note a question, its answer, and the line that ``frame`` is at."""
        code = frame.f_code
        if not is_library(code.co_filename):
            text = linecache.getline(code.co_filename, frame.f_lineno).strip()
            source = Source(code.co_filename, frame.f_lineno, code.co_name, text)
            self._asked[Question(words, f"{answer!r:.40}", source)] = None


def asks_default_dtype(asked: Sequence[Question]) -> bool:
    """Whether an answer is the default dtype, which calls are checked for."""
    return any(question.words == _DEFAULT_DTYPE for question in asked)


def describe_questions(questions: Sequence[Question]) -> tuple[str, ...]:
    """What the report says of them, one line for all; a call is checked for its default dtype."""
    asked = [question for question in questions if question.words != _DEFAULT_DTYPE]
    if not asked:
        return ()
    shown = ", ".join(map(str, asked[:4])) + (f" and {len(asked) - 4} more" if asked[4:] else "")
    return (f"The model asks for what is constant in the compiled one: {shown}.",)
