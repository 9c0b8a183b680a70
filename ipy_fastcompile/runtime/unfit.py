"""exception from the middle of a call -> InputError, where a size that depends on data is to blame.

Native kernels say it themselves (`kernels.refuse_size`). PyTorch's loader and the FX graph raise
what Inductor wrote into its text, and an op whose result has another size than the kernel was
written for is found by the check behind it.
"""

from __future__ import annotations

import re

import torch

from ..errors import InputError

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


def unfit_size(condition: str) -> InputError:
    """What says that a condition on a size that depends on data does not hold."""
    return InputError(
        "A size that depends on the values in the arguments does not fit the model: "
        f"{in_words(condition.strip().rstrip('.'))}.",
        "Call it with values that the model itself takes.",
        condition=condition,
    )


_WORDS = (
    (re.compile(r"Eq\(Mod\(([^,]+), (\d+)\), 0\)"), r"\1 must be a multiple of \2"),
    (re.compile(r"Eq\(([^,]+), ([^,]+)\)"), r"\1 must be \2"),
    (re.compile(r"([^<>=]+) == ([^<>=]+)"), r"\1 must be \2"),
    (re.compile(r"Ne\(([^,]+), ([^,]+)\)"), r"\1 must not be \2"),
    (re.compile(r"([^<>=]+) >= ([^<>=]+)"), r"\1 must be at least \2"),
    (re.compile(r"([^<>=]+) <= ([^<>=]+)"), r"\1 must be at most \2"),
    (re.compile(r"([^<>=]+) > ([^<>=]+)"), r"\1 must be more than \2"),
    (re.compile(r"([^<>=]+) < ([^<>=]+)"), r"\1 must be less than \2"),
)


_MIRRORED = re.compile(r"(-?\d+) (<=|>=|<|>) ([^<>=]+)")
_OTHER_WAY = {"<=": ">=", ">=": "<=", "<": ">", ">": "<"}
_OF_ARGUMENTS = re.compile(r"\bs\d+\b")


def in_words(condition: str) -> str:
    """``u0 must be a multiple of 4``; what has no words stays as it is."""
    mirrored = _MIRRORED.fullmatch(condition)
    if mirrored:
        condition = f"{mirrored[3]} {_OTHER_WAY[mirrored[2]]} {mirrored[1]}"
    for pattern, words in _WORDS:
        if pattern.fullmatch(condition):
            condition = pattern.sub(words, condition)
            break
    named = list(dict.fromkeys(_OF_ARGUMENTS.findall(condition)))
    if not named:
        return condition
    are = "is a size" if len(named) == 1 else "are sizes"
    return f"{condition}, where {' and '.join(named)} {are} of the arguments"
