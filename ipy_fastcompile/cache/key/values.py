"""value -> lines of canonical text: equal for equal values, in this process and the next.

Nothing here calls code of the value's own class, so a ``__repr__`` can neither lie nor leak an
address. What has no canonical text is said to be uncovered, and its key then matches nothing.
"""

from __future__ import annotations

from typing import Any

from .containers import CONTAINERS
from .data import DATA
from .functions import FUNCTIONS, is_bare, write_function
from .inline import inline_text
from .names import shortened
from .objects import OBJECTS
from .tensors import TENSORS
from .walker import Walker

# The first that takes a value writes it; the last takes everything.
HANDLERS = (*FUNCTIONS, *TENSORS, *DATA, *CONTAINERS, *OBJECTS)
_DEEP = 60


def describe(walker: Walker, path: str, value: Any, depth: int = 0) -> None:
    """Write ``value`` as lines, the first of which starts with ``path``."""
    text = inline_text(value, walker)
    if text is not None:
        walker.line(path, shortened(text))
        return
    if depth > _DEEP:
        walker.miss(path, f"it is nested more than {_DEEP} levels deep")
        return
    if is_bare(value):  # the same function is written wherever it is found
        write_function(walker, path, value, depth)
        return
    earlier = walker.known(value, path)
    if earlier is not None:
        walker.line(path, f"same as {earlier}")
        return
    next(handler for handler in HANDLERS if handler.takes(value)).write(walker, path, value, depth)
