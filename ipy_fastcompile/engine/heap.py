"""what is on the heap already -> out of the garbage collector's way while a compile goes on."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_FROZEN_AT_START = 10_000


@contextmanager
def settled_heap() -> Iterator[None]:
    """Keep the garbage collector from walking what was there before, again and again.

    A capture makes millions of objects beside those of torch, the model and the notebook. The
    collector goes on with what is new. Someone else's `gc.freeze` is left as it is: it keeps at
    least torch, far more than the few hundred objects that Python 3.12 freezes when it starts.
    """
    if gc.get_freeze_count() > _FROZEN_AT_START:
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
