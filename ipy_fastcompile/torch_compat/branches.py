"""branches of `torch.cond` and bodies of loops -> read by Dynamo as if we watched nothing.

torch._higher_order_ops.utils, torch.fx.experimental.proxy_tensor; seen on 2.13.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from . import questions


@contextlib.contextmanager
def unwatched_branches(mode: type) -> Iterator[None]:
    """While this lasts, Dynamo meets no function mode of this type where an op has it read one.

    It would read the mode's own Python for each op, and complain of what that notes. Nor does it
    meet what `questions` puts in the places of torch's functions.
    """
    from torch._higher_order_ops import utils
    from torch.fx.experimental import proxy_tensor

    removed = proxy_tensor._make_temp_remove_mode_context_manager(mode)
    own: Any = utils._set_compilation_env

    @contextlib.contextmanager
    def around() -> Iterator[None]:
        with own(), removed(), questions.unnoticed():
            yield

    vars(utils)["_set_compilation_env"] = around
    try:
        yield
    finally:
        vars(utils)["_set_compilation_env"] = own
