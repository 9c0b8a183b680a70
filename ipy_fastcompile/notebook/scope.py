"""Statements, names -> steps that run where a plain cell, or the function around a line, would.

A cell sees the user's namespace. The line form in a function sees that function's locals above it,
as ``%time`` does; comprehensions and lambdas on the line see them, too.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import keyword
from collections import ChainMap
from collections.abc import Callable, Coroutine, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType

    from IPython.core.interactiveshell import InteractiveShell

_FUNCTION = "__fastcompile_scope__"


@dataclass(frozen=True)
class Scope:
    """The names that code sees: ``inner`` ones, which it writes to, above those of the module.

    ``caller`` are the locals of the function that a line stands in, and ``inner`` a copy of them.
    At the top level there is no such function, and ``inner`` is the user's own namespace.
    """

    inner: dict[str, Any]
    outer: dict[str, Any]
    caller: MutableMapping[str, Any] | None = None

    @property
    def names(self) -> Mapping[str, Any]:
        """All of them, the innermost first."""
        return ChainMap(self.inner, self.outer)

    def home(self, name: str) -> dict[str, Any]:
        """The namespace that holds ``name``."""
        return self.inner if name in self.inner else self.outer


def scope_of(shell: InteractiveShell, local_ns: MutableMapping[str, Any] | None = None) -> Scope:
    """The scope of a cell, or of a line in a frame whose locals are ``local_ns``."""
    outer = shell.user_global_ns
    if local_ns is None or local_ns is shell.user_ns or local_ns is outer:
        return Scope(shell.user_ns, outer)
    # A comprehension's own argument is called ".0", which no code can name.
    inner = {n: v for n, v in local_ns.items() if n.isidentifier() and not keyword.iskeyword(n)}
    return Scope(inner, outer, local_ns)


@dataclass(frozen=True)
class Step:
    """Some statements, compiled. ``run`` gives the value of the last, or a coroutine for it."""

    run: Callable[[], Any]
    awaits: bool


def _do_nothing() -> None:
    return


@dataclass(frozen=True)
class Steps:
    """A cell, compiled: its ``steps``, and what goes with them.

    ``before`` each step, when all are ``done``, and ``after`` them, however they ended. Where
    ``done`` gives a context, the steps run in it once more, and the value is that of this run.
    """

    steps: Sequence[Step]
    before: Callable[[], Any] = _do_nothing
    done: Callable[[], AbstractContextManager[Any] | None] = _do_nothing
    after: Callable[[], Any] = _do_nothing

    def run(self, shell: InteractiveShell) -> Any:
        """The value of the last step; where it awaits and a loop runs, a coroutine for it."""
        __tracebackhide__ = True
        if any(step.awaits for step in self.steps):
            coroutine = self._run_async()
            return coroutine if _loop_runs() else shell.loop_runner(coroutine)
        value = None
        try:
            for step in self.steps:
                self.before()
                value = step.run()
            again = self.done()
            if again is not None:
                with again:
                    for step in self.steps:
                        value = step.run()
        finally:
            self.after()
        return value

    async def _run_async(self) -> Any:
        __tracebackhide__ = True
        value = None
        try:
            for step in self.steps:
                self.before()
                value = await step.run() if step.awaits else step.run()
            again = self.done()
            if again is not None:
                with again:
                    for step in self.steps:
                        value = await step.run() if step.awaits else step.run()
        finally:
            self.after()
        return value


def compile_steps(
    shell: InteractiveShell, statements: Sequence[ast.stmt], file: str, scope: Scope, *, each: bool
) -> list[Step]:
    """Compile ``statements``: one step for ``each`` of them, or as few as there can be.

    The locals of a function are those of one more function, and that is one step.
    """
    if not statements:
        return []
    if scope.caller is not None:
        return [_step_in_function(shell, statements, file, scope)]
    last, others = statements[-1], list(statements)
    parts: list[ast.Module | ast.Expression] = []
    if isinstance(last, ast.Expr):
        parts.append(ast.Expression(last.value))
        others.pop()
    groups = [[statement] for statement in others] if each else [others]
    parts[:0] = [ast.Module(group, []) for group in groups if group]
    return [_step(_compile(shell, part, file), scope) for part in parts]


def _step(code: CodeType, scope: Scope) -> Step:
    def run() -> Any:
        __tracebackhide__ = True
        return eval(code, scope.outer, scope.inner)

    return Step(run, bool(code.co_flags & inspect.CO_COROUTINE))


def _compile(shell: InteractiveShell, tree: ast.AST, file: str) -> CodeType:
    # IPython's compiler keeps the future imports of earlier cells; it takes trees as well as text.
    compile_tree: Callable[[ast.AST, str, str], Any] = shell.compile  # type: ignore[assignment]
    mode = "eval" if isinstance(tree, ast.Expression) else "exec"
    allowed = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if shell.autoawait else 0
    with shell.compile.extra_flags(allowed):
        code: CodeType = compile_tree(tree, file, mode)
    return code


def _step_in_function(
    shell: InteractiveShell, statements: Sequence[ast.stmt], file: str, scope: Scope
) -> Step:
    """The statements as the body of a function whose arguments are the locals around the line."""
    *others, last = statements
    awaits = does_await(statements)
    stored = sorted(_stored_names(statements))
    value = last.value if isinstance(last, ast.Expr) else ast.Constant(None)
    body = [*others] if isinstance(last, ast.Expr) else [*statements]
    names = [name for name in scope.inner if name != _FUNCTION]
    head = f"async def {_FUNCTION}()" if awaits else f"def {_FUNCTION}()"
    # What was assigned is handed on, as far as the caller's locals can be written to at all.
    tree = ast.parse(f"{head}:\n    return 0, locals()")
    (function,) = tree.body
    assert isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
    function.args.kwonlyargs = [ast.arg(name) for name in names]
    function.args.kw_defaults = [None for _ in names]
    (end,) = function.body
    assert isinstance(end, ast.Return)
    assert isinstance(end.value, ast.Tuple)
    end.value.elts[0] = value
    function.body = [*body, end]
    ast.fix_missing_locations(tree)
    made: dict[str, Any] = {}
    exec(_compile(shell, tree, file), scope.outer, made)
    call = made[_FUNCTION]
    call.__code__ = call.__code__.replace(co_name="<module>")  # a traceback names no such function

    def keep(result: tuple[Any, dict[str, Any]]) -> Any:
        value, names = result
        assert scope.caller is not None
        scope.caller.update({name: names[name] for name in stored if name in names})
        return value

    def run() -> Any:
        __tracebackhide__ = True
        # `inner` may have changed since the function was made: another object of a known name.
        return keep(call(**{name: scope.inner[name] for name in names}))

    async def run_async() -> Any:
        __tracebackhide__ = True
        return keep(await call(**{name: scope.inner[name] for name in names}))

    return Step(run_async if awaits else run, awaits)


def does_await(statements: Sequence[ast.AST]) -> bool:
    """Whether statements await something themselves, not only in a function that they define."""
    for node in statements:
        if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
            return True
        if isinstance(node, ast.comprehension) and node.is_async:
            return True
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if does_await(list(ast.iter_child_nodes(node))):
            return True
    return False


def _stored_names(statements: Sequence[ast.stmt]) -> set[str]:
    nodes = (node for statement in statements for node in ast.walk(statement))
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def nothing_of(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Await ``coroutine`` and drop its value, as a semicolon asks for."""
    await coroutine
