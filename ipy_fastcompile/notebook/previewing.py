"""A call in a cell, ``--preview`` -> what compiling it would make, shown; and the call, made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.display import display

from ..interrupts import check_whole, interrupts_deferred
from .arguments import Options
from .cell import name_cells
from .mistakes import BAD_INPUT
from .outputs import give

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def show_preview(
    shell: InteractiveShell,
    options: Options,
    callee: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Show the preview of a call, beside the default where it is split in another way.

    The value is what the model itself returns, so that the cell goes on as without the magic.
    """
    __tracebackhide__ = True
    check_whole()
    with interrupts_deferred():
        from ..planning.preview import preview
    ways: Any = None if options.split_at is None else [None, list(options.split_at)]
    try:
        found = preview(callee, args, kwargs, dynamic=options.dynamic, split_at=ways)
    except BAD_INPUT as error:
        raise UsageError(name_cells(shell, str(error))) from error
    if options.output is not None:
        give(shell, found, options.output)
    if not options.quiet:
        display(found._repr_mimebundle_(), raw=True)
    return callee(*args, **kwargs)
