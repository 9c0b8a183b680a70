"""exception from the middle of a call -> InputError, where a size that depends on data is to blame.

Native kernels say it themselves (`kernels.refuse_size`). PyTorch's loader and the FX graph raise
what Inductor wrote into its text, and an op whose result has another size than the kernel was
written for is found by the check behind it.
"""

from __future__ import annotations

import re

import torch

from ..errors import InputError
from .kernels import unfit_size

_ASSERTED = re.compile(
    r"(?:Runtime assertion failed for expression )?"
    r"([\w\s()+*/%,<>=|&.-]*\bu\d+\b[^:]*)"
)
_NOTE = re.compile(r" on node '\w+'$")
_RESULT = re.compile(r"(expected size .*?)\s*Error in op: torch\.ops\.(\w+)\.(\w+)", re.DOTALL)
_OF_INPUT = re.compile(r"expected size (\d+)==(\d+),.*?Error in op: input\b", re.DOTALL)


# What Inductor's C++ says: ``kernel, FILE:LINE, index out of bounds: 0 <= tmp2 < 50L``.
_INDEX = re.compile(r"index out of bounds: 0 <= \w+ < (?:(\d+)L?|.*)$")


def unfit_data(error: BaseException) -> InputError | None:
    """The error that says that values in the arguments are none the model can take.

    They lead to a size that does not fit, or to an index that is out of bounds.
    """
    text = str(error).strip()
    if isinstance(error, RuntimeError) and (index := _INDEX.search(text)):
        most = (
            f"it must be from 0 to {int(index[1]) - 1}" if index[1] else "it is negative or too big"
        )
        return InputError(
            f"An index that the values in the arguments lead to is out of bounds: {most}.",
            "Call it with values that the model itself takes; eager raises IndexError for these.",
        )
    asserted = _ASSERTED.fullmatch(_NOTE.sub("", text))
    if isinstance(error, RuntimeError) and asserted:
        condition = asserted[1]
    elif isinstance(error, AssertionError) and (between := _OF_INPUT.match(text)):
        if between[1] == between[2]:
            return None  # another layout is no question of sizes
        condition = f"a value between two kernels has the size {between[1]}, not {between[2]}"
    elif isinstance(error, AssertionError):
        result = _RESULT.match(text)
        if result is None or not _depends_on_data(result[2], result[3]):
            return None
        condition = f"{result[2]}::{result[3]} gives another size, {result[1]}"
    else:
        return None
    return unfit_size(condition)


def _depends_on_data(namespace: str, name: str) -> bool:
    packet = getattr(getattr(torch.ops, namespace, None), name, None)
    if packet is None:
        return False
    overloads = [getattr(packet, overload) for overload in packet.overloads()]
    return any(torch.Tag.dynamic_output_shape in overload.tags for overload in overloads)
