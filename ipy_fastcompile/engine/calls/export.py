"""module + call -> ExportedProgram, and what was asked about sizes while `torch.export` ran."""

from __future__ import annotations

from typing import Any

import torch

from ...torch_compat import export, guards, lazy_graphs
from ..sizes.size_book import SizeBook
from ..sizes.symbols import without_names
from .containers import PlainCall
from .effects import Watch


def export_program(
    module: torch.nn.Module,
    call: PlainCall,
    dynamic_shapes: Any,
    watch: Watch,
    book: SizeBook,
) -> torch.export.ExportedProgram:
    """`torch.export`; a named size is taken without its name where its guards cannot be proved.

    Guards that a named dimension may not have become conditions, which the call is checked for.
    """

    def attempt(shapes: Any) -> torch.export.ExportedProgram:
        with (
            watch.attempt(module),
            call.shown_to_export(module, watch.assigned.write),
            guards.watched_sizes(book.note),
        ):
            return torch.export.export(
                module, call.args, call.kwargs, dynamic_shapes=shapes, strict=False
            )

    with (
        torch.no_grad(),
        lazy_graphs.lazy_graph_modules(),
        export.without_partial_graph(),
        export.without_log_of_failure(),
    ):
        try:
            return attempt(dynamic_shapes)
        except Exception as error:
            # Its solver of constraints asserts that the guards are of kinds that it knows.
            unproved = "Constraints violated" in str(error) or isinstance(error, AssertionError)
            if dynamic_shapes is None or not unproved:
                raise
            try:
                return attempt(without_names(dynamic_shapes))
            except Exception:  # noqa: BLE001 - the first error says what was asked for
                raise error from None
