"""Random Python in the place of generated text: what the grammar lets through does nothing.

The oracle is not the grammar: whatever passes is executed, and an audit hook of the interpreter
must see no file opened, no module imported, no code compiled, no process started.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import os
import sys
from collections.abc import Iterator
from random import Random
from types import CodeType
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings, strategies as st

from ipy_fastcompile.errors import FastCompileError, GrammarError
from ipy_fastcompile.grammar.check import check_grammar
from ipy_fastcompile.runtime import bind
from ipy_fastcompile.runtime.checks import CHECKS
from tests.unit.grammar.test_grammar import EXECUTION

SEED = int(os.environ.get("FASTCOMPILE_SEED") or int.from_bytes(os.urandom(4), "big"))
NAMES = (
    "x", "rows", "a", "b", "c", "half", "weight", "relu", "parts", "item", "constant_0",
    "kernel_0", "inlined_0", "check", "torch", "math", "kernels", "open", "eval", "exec",
    "__import__", "print", "getattr", "globals", "os", "sys", "__builtins__", "max", "int",
    "slice", "forward", "breakpoint",
)  # fmt: skip
ATTRIBUTES = (
    "ops", "aten", "relu", "default", "size", "float32", "device", "ceil", "__class__",
    "__globals__", "load_library", "import_module", "loaded_libraries", "from_file", "tofile",
    "numpy", "load", "save", "Tensor", "add", "layout", "constant", "system", "hub", "__dict__",
    "higher_order", "_C", "autocast",
)  # fmt: skip
CONSTANTS = (0, 1, 2, -1, 0.5, None, True, ..., "cpu", "/tmp/canary", b"x", "x", 1j)
BINARY = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.Div, ast.BitOr, ast.MatMult)
FORBIDDEN = (
    "open", "import", "exec", "compile", "os.", "subprocess.", "socket.", "ctypes.", "shutil.",
    "pickle.", "marshal.", "tempfile.", "urllib.", "builtins.", "code.__new__", "sys.addaudithook",
    "cpython.", "sys.set", "glob.", "mmap.",
)  # fmt: skip
COUNTS = {"texts": 0, "accepted": 0, "executed": 0}


class Fuzz:
    """Random syntax trees of all of Python that matters, most of it not in the grammar."""

    def __init__(self, number: int) -> None:
        self.choose = Random(number)

    def expression(self, depth: int) -> ast.expr:
        c = self.choose
        kind = c.randrange(5) if depth <= 0 else c.randrange(16)
        inner = lambda: self.expression(depth - 1)  # noqa: E731
        if kind < 3:
            return ast.Name(c.choice(NAMES[:12] if c.random() < 0.7 else NAMES), ast.Load())
        if kind < 5:
            return ast.Constant(c.choice(CONSTANTS))
        if kind < 7:
            return self.path()
        if kind < 10:
            function = self.path() if c.random() < 0.6 else inner()
            words = [ast.keyword(c.choice((None, "dim", "alpha")), inner())] * c.randrange(2)
            return ast.Call(function, [inner() for _ in range(c.randrange(3))], words)
        if kind == 10:
            return ast.Tuple([inner() for _ in range(c.randrange(3))], ast.Load())
        if kind == 11:
            return ast.Subscript(inner(), inner(), ast.Load())
        if kind == 12:
            return ast.BinOp(inner(), c.choice(BINARY)(), inner())
        if kind == 13:
            return c.choice((
                ast.List([inner()], ast.Load()), ast.Dict([inner()], [inner()]), ast.Set([inner()]),
                ast.IfExp(inner(), inner(), inner()), ast.Compare(inner(), [ast.Lt()], [inner()]),
                ast.UnaryOp(ast.USub(), inner()), ast.BoolOp(ast.And(), [inner(), inner()]),
                ast.Starred(inner(), ast.Load()),
            ))  # fmt: skip
        if kind == 14:
            return ast.Attribute(inner(), c.choice(ATTRIBUTES), ast.Load())
        arguments = ast.arguments([], [], None, [], [], None, [])
        return ast.Lambda(arguments, inner())

    def path(self) -> ast.expr:
        """``torch.ops.aten.relu.default`` and its like."""
        c = self.choose
        known = ("torch.ops.aten.relu.default", "torch.ops.aten.add.Tensor", "x.size", "math.ceil",
                 "torch.float32", "torch.device", "kernel_0", "inlined_0",
                 "check.layout")  # fmt: skip
        if c.random() < 0.6:
            return ast.parse(c.choice(known), mode="eval").body
        node: ast.expr = ast.Name(c.choice(NAMES), ast.Load())
        for _ in range(c.randint(1, 4)):
            node = ast.Attribute(node, c.choice(ATTRIBUTES), ast.Load())
        return node

    def statement(self) -> ast.stmt:
        c = self.choose
        kind = c.randrange(9)
        target = ast.Name(c.choice(NAMES), ast.Store())
        if kind < 3:
            return ast.Assign([target], self.expression(3))
        if kind < 5:
            return ast.Expr(self.expression(3))
        if kind == 5:
            return ast.Delete([ast.Name(c.choice(NAMES), ast.Del())])
        if kind == 6:
            return c.choice((ast.Import([ast.alias("os")]), ast.Global(["x"]), ast.Pass(),
                             ast.ImportFrom("os", [ast.alias("system")], 0)))  # fmt: skip
        if kind == 7:
            return ast.If(self.expression(1), [ast.Expr(self.expression(2))], [])
        return ast.Return(self.expression(2))

    def change(self, tree: ast.Module) -> None:
        """Add a statement to a function, or put an expression where another one is."""
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        body = self.choose.choice([*(f.body for f in functions), tree.body])
        if self.choose.random() < 0.5:
            body.insert(self.choose.randint(0, len(body)), self.statement())
            return
        assigned = [n for n in ast.walk(tree) if isinstance(n, (ast.Assign, ast.Return, ast.Expr))]
        self.choose.choice(assigned).value = self.expression(3)


# --- the oracle ----------------------------------------------------------------------------------

_WATCHED: list[list[str]] = []


def _audit(event: str, _: Any) -> None:
    if _WATCHED and event.startswith(FORBIDDEN):
        _WATCHED[-1].append(event)


sys.addaudithook(_audit)


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """The forbidden events of what runs inside."""
    events: list[str] = []
    _WATCHED.append(events)
    try:
        yield events
    finally:
        _WATCHED.pop()


def accepted(text: str) -> CodeType:
    """The code of a text that the grammar lets through; GrammarError for any other."""
    check_grammar(text, "fuzzed")
    return bind.compile_text(text, "fuzzed")


def execute(text: str) -> None:
    """Run an accepted text to its end, with kernels that do nothing."""
    code = accepted(text)
    x, weight = torch.ones(2, 1), torch.ones(1)

    def kernel(*_: Any) -> Any:
        return torch.ones(2, 2), torch.ones(2)

    with watched() as events, torch.no_grad(), contextlib.suppress(*HARMLESS):
        namespace = bind.run_code(code, {"__name__": "fuzzed"})
        forward = namespace["bind"]((kernel, kernel), (weight,), (weight,))
        forward(*namespace["check_inputs"](CHECKS, x))
    assert events in ([], ["exec"]), (events, text)  # the one is `run_code` itself


HARMLESS = (
    RuntimeError, TypeError, ValueError, NameError, AttributeError, LookupError, ArithmeticError,
    FastCompileError,
)  # fmt: skip


def test_the_oracle_sees_what_must_not_happen() -> None:
    for line in (
        "open('/dev/null')",
        "import no_such_module",
        "exec('1')",
        "compile('1', 'f', 'exec')",
    ):
        with watched() as events, contextlib.suppress(ImportError):
            exec(line, {})
        assert [e for e in events if e != "exec"] or line.startswith("exec"), line


@seed(SEED)
@settings(
    max_examples=3000, database=None, suppress_health_check=list(HealthCheck)
)  # fmt: skip
@given(st.integers(0, 2**32 - 1))
def check_random_text(number: int) -> None:
    fuzz = Fuzz(number)
    tree = copy.deepcopy(ORIGINAL)
    for _ in range(fuzz.choose.choice((1, 1, 1, 2, 3))):
        fuzz.change(tree)
    COUNTS["texts"] += 1
    try:
        text = ast.unparse(ast.fix_missing_locations(tree))
        accepted(text)
    except (GrammarError, SyntaxError, ValueError, TypeError):
        return
    COUNTS["accepted"] += 1
    execute(text)
    COUNTS["executed"] += 1


ORIGINAL = ast.parse(EXECUTION)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_nothing_outside_the_grammar_executes() -> None:
    execute(EXECUTION)  # the unchanged text is accepted, and runs without an event
    check_random_text()
    assert COUNTS["texts"] >= 3000
    assert COUNTS["executed"] == COUNTS["accepted"]
    assert COUNTS["accepted"] > 60, COUNTS  # or the oracle would mean nothing
    print(f"{COUNTS}; FASTCOMPILE_SEED={SEED} replays them")
