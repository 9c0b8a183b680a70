"""module + call -> ExportedProgram, and what was asked about sizes while `torch.export` ran."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

import torch

from ...frozen import frozen
from ...interrupts import check_whole
from ...torch_compat import (
    branches,
    export,
    guards,
    lazy_graphs,
    module_calls,
    plain_sizes,
    size_operators,
    surroundings,
    written_sizes,
)
from ..sizes.dynamic import AskedSizes
from ..sizes.pieces import AnotherPiece, Pieces
from ..sizes.proofs import simplified
from ..sizes.size_book import SizeBook
from ..sizes.stated import state_relations
from ..sizes.symbols import without_names
from ..sizes.wishes import Spot
from .containers import PlainCall
from .effects import Watch
from .layouts import LayoutBook, LayoutRead
from .questions import Question, QuestionBook
from .stand_in import call_through
from .straight import StraightForward


@frozen
class Exported:
    """A program, the sizes that it was asked for, and what it asked of other things.

    ``pieces`` are the ranges of sizes that are padded to a multiple of something, by their places.
    """

    program: torch.export.ExportedProgram
    asked: AskedSizes
    book: SizeBook
    layouts: Mapping[str, LayoutRead]
    questions: tuple[Question, ...]
    pieces: Mapping[Spot, tuple[int, int]]


def export_program(
    module: torch.nn.Module,
    call: PlainCall,
    asked: AskedSizes,
    watch: Watch,
    straight: StraightForward | None = None,
) -> Exported:
    """`torch.export`, of a forward in a straight line where one is given.

    A named size is taken without its name where its guards cannot be proved: guards that a named
    dimension may not have become conditions, which the call is checked for.
    """
    pieces = Pieces()

    def attempt(asked: AskedSizes, *, named: bool) -> Exported:
        while True:
            try:
                return attempt_once(asked, named=named and not pieces.known)
            except AnotherPiece:
                continue

    def attempt_once(asked: AskedSizes, *, named: bool) -> Exported:
        book, questions = SizeBook(), QuestionBook()
        layouts = LayoutBook(questions.note)

        @contextlib.contextmanager
        def noted(leaves: Mapping[str, Any]) -> Iterator[None]:
            book.begin(leaves)
            layouts.begin(leaves)
            if not named:
                state_relations(book.first, asked.dims)
            pieces.state(book)
            with layouts, questions.open():
                yield

        def note(evaluation: guards.Evaluation) -> None:
            book.note(evaluation)
            pieces.look(evaluation, book)

        with (
            _in_place_of(module, straight and straight(book)),
            watch.attempt(module),
            surroundings.transforms_ended(),
            call.shown_to_export(module, noted, watch.assigned.write),
            guards.watched_sizes(note),
            plain_sizes.plain_sizes(simplified) if pieces.known else contextlib.nullcontext(),
            branches.unwatched_branches(LayoutBook),
            written_sizes.written_as_numbers(),
            size_operators.operators_of_numbers(),
        ):
            shapes = asked.shapes if named else without_names(asked.shapes)
            program = torch.export.export(
                module, call.args, call.kwargs, dynamic_shapes=shapes, strict=False
            )
        ranges = {spot: (low, high) for spot, (low, high, _) in pieces.known.items()}
        return Exported(program, asked, book, layouts.reads, questions.asked, ranges)

    with (
        torch.no_grad(),
        lazy_graphs.lazy_graph_modules(),
        export.without_partial_graph(),
        export.without_log_of_failure(),
    ):
        first = asked.with_numbers(frozenset())
        call.let_vary({path for path, _ in asked.dims})
        if asked.is_loose:
            found = attempt(first, named=False)
            # Which numbers a call changes is known once the model has run, and which are sizes.
            changed = call.changed_numbers
            return _with_numbers(attempt, asked, found, changed, call.sized_numbers)
        try:
            return attempt(first, named=True)
        except Exception as error:
            # Its solver of constraints asserts that the guards are of kinds that it knows.
            unproved = "Constraints violated" in str(error) or isinstance(error, AssertionError)
            if asked.shapes is None or not unproved:
                raise
            try:
                return attempt(first, named=False)
            except Exception:  # noqa: BLE001 - the first error says what was asked for
                raise error from None


def _with_numbers(
    attempt: Callable[..., Exported],
    asked: AskedSizes,
    found: Exported,
    changed: Set[str],
    sized: Set[str],
) -> Exported:
    """The program in which numbers vary as well, as far as there is one; ``found`` has none.

    ``changed`` are what the model changes, and ``sized`` what is a size of a tensor beside it. A
    size decides nothing: what the model compares with something is none, the length of a window.
    """
    numbers, is_last = changed | sized, True
    while (more := asked.with_numbers(numbers)) != found.asked:
        is_last = False
        try:
            again = attempt(more, named=False)
        except Exception as error:  # noqa: BLE001 - then they cannot vary
            check_whole(error)
            numbers = changed if numbers - changed else frozenset()
            continue
        graph_module = again.program.graph_module
        deciding = {p for p in numbers - changed if again.book.decides((p, None), graph_module)}
        if not deciding:
            return again
        numbers -= deciding
    return found if is_last else attempt(found.asked, named=False)


def _in_place_of(module: torch.nn.Module, forward: Callable[..., Any] | None) -> Any:
    """Let a module have this forward, under the signature of its own, while this lasts."""
    if forward is None:
        return contextlib.nullcontext()
    named = functools.wraps(module.forward)(functools.partial(call_through, forward))
    return module_calls.forward_replaced(module, named)
