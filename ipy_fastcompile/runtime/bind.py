"""text + what it calls -> functions: the only place of the package that executes generated code.

`compile_execution_fn` executes the execution code and binds kernels, parameters and constants by
index, as vLLM's does (#40151). Texts are registered in `linecache`, so that tracebacks and
debuggers show the generated line.
"""

from __future__ import annotations

import builtins
import hashlib
import linecache
import marshal
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, cast, overload

import torch

from ..errors import GrammarError, KernelError
from ..frozen import NamedTuple, frozen
from ..grammar.words import BUILTINS
from .checks import CHECKS

# `__import__` stays, for C++ extensions import through the builtins of the frame that calls them;
# no generated text says its name.
SAFE_BUILTINS: dict[str, Any] = {
    name: vars(builtins)[name] for name in sorted({*BUILTINS, "__import__"})
}


@frozen
class ExecutionFunction:
    """``call(*leaves)``: checks a flat call and runs it; returns a flat tuple of outputs."""

    check_inputs: Callable[..., tuple[Any, ...]]
    forward: Callable[..., tuple[Any, ...]]


class ExecutionParts(NamedTuple):
    """What ``bind`` of the execution code takes, in its order."""

    kernels: Sequence[Callable[..., Any]]
    parameters: Sequence[torch.Tensor]
    constants: Sequence[torch.Tensor]


def text_filename(kind: str, text: str) -> str:
    """The file name of generated text in tracebacks: ``<execution code 1f2e3d4c5b6a>``."""
    return member_filename(kind, hashlib.sha256(text.encode()).hexdigest())


def member_filename(kind: str, digest: str) -> str:
    """The same by the SHA-256 of the text, which an artifact knows of its members."""
    return f"<{kind} {digest[:12]}>"


def register_text(filename: str, text: str) -> None:
    """Let tracebacks, debuggers and `inspect` show the lines of generated text."""
    # mtime None: linecache never looks for a file of this name, and keeps the entry.
    linecache.cache[filename] = (len(text), None, cast("list[str]", _Lines(text)), filename)


class _Lines(Sequence[str]):
    """The lines of a text, taken apart only when somebody looks at one."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _lines(self) -> list[str]:
        return self._text.splitlines(True)

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, position: int) -> str: ...

    @overload
    def __getitem__(self, position: slice) -> list[str]: ...

    def __getitem__(self, position: int | slice) -> str | list[str]:
        return self._lines[position]


def python_tag() -> str:
    """Which Pythons can read a stored code object: ``cpython-311-a70d0d0a``."""
    import importlib.util

    return f"{sys.implementation.cache_tag}-{importlib.util.MAGIC_NUMBER.hex()}"


def compile_text(text: str, kind: str) -> types.CodeType:
    """Compile generated text; ``kind`` names it in tracebacks.

    Raises GrammarError when it is not Python.
    """
    filename = text_filename(kind, text)
    try:
        return compile(text, filename, "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise GrammarError(
            f"{filename} is not valid Python: {error}.", "Compile the model again."
        ) from error


def store_code(codes: Mapping[str, types.CodeType]) -> bytes:
    """Code objects as bytes, for the same Python version; by the name of their text's member."""
    return marshal.dumps(dict(codes))


def stored_code(data: bytes) -> dict[str, types.CodeType]:
    """The code objects that `store_code` wrote.

    Raises GrammarError when the bytes hold anything else.
    """
    try:
        codes = marshal.loads(data)
    except (EOFError, ValueError, TypeError) as error:
        raise GrammarError(
            f"The stored code objects cannot be read: {error}.", "Compile the model again."
        ) from error
    if not isinstance(codes, dict) or not all(
        isinstance(name, str) and isinstance(code, types.CodeType) for name, code in codes.items()
    ):
        raise GrammarError("The stored code is no table of code objects.", "Compile again.")
    return codes


def run_code(code: types.CodeType, namespace: dict[str, Any]) -> dict[str, Any]:
    """Execute code in a namespace of its own, and return that.

    Of Python's builtins it sees those that generated text calls.
    """
    namespace["__builtins__"] = SAFE_BUILTINS
    exec(code, namespace)
    return namespace


def compile_execution_fn(
    code: types.CodeType | str,
    kernels: Sequence[Callable[..., Any]],
    parameters: Sequence[torch.Tensor],
    constants: Sequence[torch.Tensor] = (),
) -> ExecutionFunction:
    """Execute execution code and bind what it calls, by index.

    Parameters
    ----------
    code:
        The execution code, as text or compiled by `compile_text`.
    kernels:
        A callable for each kernel: tensors and sizes in, a tuple or list of tensors and sizes out.
    parameters:
        The parameters and buffers that the code uses, in the order it binds them.
    constants:
        The tensors of its constants table.
    """
    return bind_again(execution_namespace(code), kernels, parameters, constants)


def execution_namespace(code: types.CodeType | str) -> dict[str, Any]:
    """What executing execution code defines: `bind_again` binds it as often as it is needed."""
    if isinstance(code, str):
        text = code
        code = compile_text(text, "execution code")
        register_text(code.co_filename, text)
    return run_code(code, {"__name__": "execution_code"})


def bind_again(
    namespace: Mapping[str, Any],
    kernels: Sequence[Callable[..., Any]],
    parameters: Sequence[torch.Tensor],
    constants: Sequence[torch.Tensor] = (),
) -> ExecutionFunction:
    """The function of executed code with these tensors; what was bound before stays as it is."""
    check_inputs = namespace["check_inputs"]
    try:
        forward = namespace["bind"](kernels, parameters, constants)
    except ValueError as error:  # unpacking says how many were expected
        raise KernelError(
            f"The execution code does not fit what it is bound to, {len(kernels)} kernels, "
            f"{len(parameters)} parameters and {len(constants)} constants: {error}.",
            "Save the artifact again: one of its parts is missing.",
        ) from error
    return ExecutionFunction(lambda *leaves: check_inputs(CHECKS, *leaves), forward)
