"""call of a graph -> its outputs: by its program where the call fits it, else as eager."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..records import Report
from ..runtime import modes
from ..runtime.dispatch import NOTHING, run_fitting
from ..runtime.loaded import LoadedFunction
from ..torch_compat import dynamo, surroundings
from .wanted import plain


class Server:
    """What Dynamo's code calls in the place of a graph.

    Attributes
    ----------
    runs:
        "program", "inductor" or "eager".
    why:
        Why it is no program that runs.
    report:
        Of the program; None where there is none.
    unfit:
        Calls that ran as eager, since the program does not take them.
    """

    def __init__(
        self,
        runs: str,
        function: LoadedFunction | dynamo.Runner,
        eager: dynamo.Runner,
        *,
        why: str = "",
        report: Report | None = None,
    ) -> None:
        self.runs = runs
        self.why = why
        self.report = report
        self.unfit = 0
        self._function = function
        self._eager = eager

    def __call__(self, *inputs: Any) -> Any:
        """The outputs of the graph."""
        if not isinstance(self._function, LoadedFunction):
            return self._function(*inputs)
        if modes.is_plain() or not surroundings.tracer_in_charge():
            with torch.no_grad():
                results = _run(self._function, inputs)
            if results is not NOTHING:
                return results
        self.unfit += 1
        return self._eager(*inputs)


def _run(function: LoadedFunction, inputs: Sequence[Any]) -> Any:
    return run_fitting(function.find, tuple(map(plain, inputs)), {})
