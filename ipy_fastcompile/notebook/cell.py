"""Cell -> its statements run, and the call at its end handed over instead of made.

The cell is cached and compiled by IPython's own compiler and executed here, not in a nested
``run_cell``: an exception surfaces once, with the user's lines, and `inspect.getsource` finds
functions that the cell defines.
"""

from __future__ import annotations

import ast
import inspect
import re
import types
from collections.abc import Callable, MutableMapping
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from ..errors import CallError
from .scope import Steps, compile_steps, scope_of

# What happens to a call: (callee, args, kwargs) -> the value that the call has in the cell.
OnCall = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]

# The name that stands for `OnCall` in the user's namespace while the cell runs.
HOOK = "__fastcompile_call__"

_FORMS = "End the cell with the call to compile, such as model(x) or out = model(x)"


def run_last_call(
    shell: InteractiveShell,
    source: str,
    on_call: OnCall,
    *,
    header: int = 0,
    local_ns: MutableMapping[str, Any] | None = None,
) -> Any:
    """Run ``source``; the call in its last statement goes to ``on_call``.

    Callee and arguments are evaluated once, in their place and order. The last statement may be
    the call alone, an assignment of it (``out = model(x)``, ``a, b = model(x)``, ``out += ...``),
    either with attributes or items taken from the result (``model(x).logits[0]``), or a ``with``
    block that ends in one of these.

    Parameters
    ----------
    shell:
        The shell whose namespace the cell runs in.
    source:
        The text of the cell, IPython syntax included.
    on_call:
        Receives callee, positional and keyword arguments, and returns the value of the call.
    header:
        Lines above ``source`` in the cell that the user sees, so that line numbers agree.
    local_ns:
        The locals of the function that a line stands in.

    Returns
    -------
    The value of the last statement when it is an expression, as a cell has it, otherwise None.
    Where the cell awaits and an event loop runs, a coroutine for that.

    Raises
    ------
    UsageError
        When the last statement holds no such call.
    """
    __tracebackhide__ = True  # the traceback is the user's
    tree, file = parse_cell(shell, source, header)
    call = find_call(tree)
    call.args.insert(0, call.func)
    call.func = ast.copy_location(ast.Name(HOOK, ast.Load()), call.func)
    scope = scope_of(shell, local_ns)
    scope.inner[HOOK] = _hand_over(on_call, ast.unparse(call.args[0]))
    try:
        steps = compile_steps(shell, tree.body, file, scope, each=False)
    except BaseException:
        del scope.inner[HOOK]
        raise
    return Steps(steps, after=lambda: scope.inner.pop(HOOK, None)).run(shell)


def parse_cell(shell: InteractiveShell, source: str, header: int = 0) -> tuple[ast.Module, str]:
    """The syntax tree of a cell, transformed as IPython does, and the file name it is cached by."""
    text = shell.transform_cell(source)
    # IPython drops the blank lines at the top of a cell.
    blank = len(source) - len(source.lstrip("\n")) if source.strip() else 0
    text = "\n" * (header + blank) + text
    # Whether the count is raised before or after the cell runs depends on IPython's version; the
    # number beside the cell's output is right in all of them.
    file = shell.compile.cache(text, shell.displayhook.prompt_count, raw_code=text)
    tree = shell.transform_ast(shell.compile.ast_parse(text, filename=file))
    assert isinstance(tree, ast.Module)
    return tree, file


def find_call(tree: ast.Module) -> ast.Call:
    """The call to compile: the one that the last statement of a cell ends in.

    Raises UsageError, saying what the last statement is instead.
    """
    if not tree.body:
        raise UsageError(f"There is nothing to compile in an empty cell. {_FORMS}.")
    last: ast.stmt = tree.body[-1]
    while isinstance(last, (ast.With, ast.AsyncWith)):
        last = last.body[-1]
    value = getattr(last, "value", None)
    if not isinstance(last, (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign)):
        value = None
    while isinstance(value, (ast.Attribute, ast.Subscript, ast.NamedExpr)):
        value = value.value
    if not isinstance(value, ast.Call):
        text = ast.unparse(last).splitlines()[0]
        raise UsageError(
            f"The last statement of the cell, {text!r:.60}, is not a call. {_FORMS},"
            " or name the call with -m NAME."
        )
    return value


def name_cells(shell: InteractiveShell, text: str) -> str:
    """``text`` with ``cell In[3], line 4`` for the file name and line that a cell is cached by."""

    def name(match: re.Match[str]) -> str:
        label = shell.compile.format_code_name(match["file"])
        if label is None:
            return match.group()
        return f"cell {label[1]}, line {match['line']}"

    return re.sub(r"(?P<file>[^\s'\"]+):(?P<line>\d+)\b", name, text)


def _hand_over(on_call: OnCall, name: str) -> Callable[..., Any]:
    def call(callee: Any, /, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        check_callee(callee, name)
        return on_call(callee, args, kwargs)

    return call


def check_callee(callee: Any, name: str) -> None:
    """Refuse ``callee``, written as ``name``, unless it is a module or a function.

    Raises UsageError, which a shell shows as one sentence; its cause is a `CallError`.
    """
    if isinstance(callee, type):
        what = f"{name} is a class, and calling it makes an object of it."
    elif inspect.isbuiltin(callee) or isinstance(callee, types.MethodWrapperType):
        what = f"{name} is a built-in function, not a model."
    elif isinstance(getattr(callee, "__self__", None), InteractiveShell):
        what = "A magic, or a command of the shell, is not the call of a model."
    elif not callable(callee):
        what = f"{name} is of type {type(callee).__name__} and cannot be called."
    else:
        return
    error = CallError(what, f"{_FORMS}, or name the call with -m NAME.", callee=name)
    raise UsageError(str(error)) from error
