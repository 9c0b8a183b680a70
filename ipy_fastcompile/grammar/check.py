"""generated text -> its syntax tree, or a GrammarError: only what generators write gets through.

There are two grammars: a strict one for execution code, which this package writes
(`execution`), and a wider one for kernels, which Inductor wrote (`kernel`). Where a
load does not compile the text again, a cheap check reads the names that the stored code object
refers to; and whatever is executed sees no builtins but those of `SAFE_BUILTINS`.
"""

from __future__ import annotations

import ast
import builtins
import re
import types
from collections.abc import Iterator
from typing import Any

from ..errors import GrammarError
from . import execution, kernel as kernels
from .terms import BUILTINS, MATH, Refused, torch_values


def check_grammar(
    text: str, filename: str, *, kernel: bool = False, profiled: bool = False
) -> ast.Module:
    """Parse generated text and check every node of its syntax tree.

    Parameters
    ----------
    filename:
        What the error calls the text.
    kernel:
        Whether the text is a kernel's, which may also branch and loop.
    profiled:
        Whether the text is execution code with a ``mark(line)`` after each line.

    Raises `GrammarError` naming the line that holds something the generator never writes.
    """
    try:
        tree = ast.parse(text, filename)
        if kernel:
            kernels.check_module(tree)
        else:
            execution.check_module(tree, profiled=profiled)
    except Refused as refused:
        raise GrammarError(
            f"{filename}, line {refused.line}: {refused.what} is never generated.",
            "The text was edited; compile the model again.",
            line=refused.line,
        ) from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise GrammarError(
            f"{filename} is not valid Python: {error}.", "Compile the model again."
        ) from error
    return tree


# --- stored code objects -------------------------------------------------------------------------

# Names of the generators and of the runtime that code refers to as globals or attributes.
_OWN_WORDS = frozenset(
    {"__doc__", "torch", "math", "ops", "device", "autocast", "check_inputs", "bind", "default",
    "launch", "launch_kernel", "function", "assert_size_stride", "assert_size_stride_grouped",
    "assert_tensor_metadata", "assert_alignment", "copy_if_misaligned",
    "empty_strided_cpu", "empty_strided_cpu_pinned", "empty_strided_cuda", "reinterpret_tensor",
    "get_raw_stream", "aligned", "refuse_size", "device_guard", "inf", "nan", "nanj"}
)  # fmt: skip
_NUMBERED = re.compile(r"(inlined|subgraph)_[0-9]+")


def generated_names(model_names: frozenset[str]) -> frozenset[str]:
    """The names that stored code may refer to: the generators', torch's, and the model's own."""
    return (
        model_names
        | _OWN_WORDS
        | BUILTINS
        | MATH
        | torch_values()
        | execution.CHECKS
        | kernels.METHODS
        | kernels.TORCH_FUNCTIONS
    )


def referred_names(code: types.CodeType) -> Iterator[str]:
    """Every global and attribute name that a code object and those inside it refer to."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from referred_names(constant)


def check_code_names(code: types.CodeType, known: frozenset[str], filename: str) -> None:
    """Refuse a stored code object that refers to a name its text cannot have.

    ``known`` are the names that the manifest says its text uses; a dunder is refused whatever the
    manifest says.
    """
    for name in referred_names(code):
        if name.startswith("__") and not _is_known_dunder(name):
            raise _unknown_name(name, filename)
        if name not in known and not _NUMBERED.fullmatch(name):
            raise _unknown_name(name, filename)


def _is_known_dunder(name: str) -> bool:
    return name == "__doc__" or execution.is_operator_op(name)


def _unknown_name(name: str, filename: str) -> GrammarError:
    return GrammarError(
        f"The stored code of {filename} refers to {name!r}, which its text does not.",
        "Compile the model again.",
        name=name,
    )


# `__import__` stays, for C++ extensions import through the builtins of the frame that calls them;
# no generated text can say its name.
SAFE_BUILTINS: dict[str, Any] = {
    name: vars(builtins)[name] for name in sorted({*BUILTINS, "__import__"})
}
