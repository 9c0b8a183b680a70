"""model + call -> what a real call reads of layouts and asks, where no trace runs its lines.

A graph that came by way of Dynamo was read, not run: nothing has seen what the model asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from ...errors import FastCompileError
from ...interrupts import check_whole
from ...runtime.nests import flatten
from ...verification.check import cloned
from .export import Exported
from .layouts import LayoutBook
from .questions import Question, QuestionBook
from .unharmed import keep, put_back, silent, unspent


def with_answers_of_a_call(
    found: Exported,
    model: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    paths: Sequence[str],
) -> Exported:
    """What was exported, with what a real call of ``model`` asks; it is left as it was.

    ``paths`` are the ways to the leaves of the arguments. Raises CaptureError where the call reads
    memory that no compiled one may read.
    """
    questions = QuestionBook()
    layouts = LayoutBook(questions.note)
    args, kwargs = cloned(tuple(args)), cloned(dict(kwargs))
    leaves = [leaf for value in (*args, *kwargs.values()) for leaf in flatten(value).leaves]
    kept = keep(model, is_writing=True)
    layouts.begin(dict(zip(paths, leaves, strict=True)))
    gradients = [(p, p.grad, cloned(p.grad)) for m in kept.snapshot.modules for p in m.parameters()]
    try:
        with silent(), torch.no_grad(), unspent(kept), layouts, questions.open():
            model(*args, **kwargs)
    except FastCompileError:
        raise
    except Exception as error:  # noqa: BLE001 - what a model asked before it raised counts
        check_whole(error)
    finally:
        put_back(kept)
        for parameter, gradient, copy in gradients:
            parameter.grad = None if gradient is None else gradient.copy_(copy)
    return replace(found, layouts=layouts.reads, questions=tuple(map(_as_traced, questions.asked)))


def _as_traced(question: Question) -> Question:
    """The question with the answer that it has where a graph is made."""
    is_of_compiler = question.words.startswith("torch.compiler.")
    return replace(question, answer="True") if is_of_compiler else question
