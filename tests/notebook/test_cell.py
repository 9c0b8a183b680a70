from __future__ import annotations

import inspect
import linecache
import math
import traceback
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from ipy_fastcompile.errors import CallError
from ipy_fastcompile.notebook.cell import HOOK, name_cells, run_last_call


class Recorder:
    """Takes a call, and gives its value."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, callee: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.calls.append((callee, args, kwargs))
        return callee(*args, **kwargs)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def space(shell: InteractiveShell) -> dict[str, Any]:
    def model(*args: Any, **kwargs: Any) -> Any:
        return [args, kwargs]

    shell.user_ns["model"] = model
    return shell.user_ns


def test_a_call_alone_is_the_value_of_the_cell(
    shell: InteractiveShell, space: dict[str, Any], recorder: Recorder
) -> None:
    value = run_last_call(shell, "x = 2\nmodel(x, *[3], y=4, **{'z': 5})", recorder)
    assert recorder.calls == [(space["model"], (2, 3), {"y": 4, "z": 5})]
    assert value == [(2, 3), {"y": 4, "z": 5}]
    assert space["x"] == 2


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("out = model(1)", {"out": [(1,), {}]}),
        ("out = other = model(1)", {"out": [(1,), {}], "other": [(1,), {}]}),
        ("a, b = model(1)", {"a": (1,), "b": {}}),
        ("out: list = model(1)", {"out": [(1,), {}]}),
        ("out = model(1)[0][0]", {"out": 1}),
        ("out = [0]\nout += model(1)", {"out": [0, (1,), {}]}),
        ("out = model(1).__class__.__name__", {"out": "list"}),
        ("import contextlib\nwith contextlib.nullcontext():\n    out = model(1)[0]", {"out": (1,)}),
        ("(out := model(1))", {"out": [(1,), {}]}),
        ("out = model(1);", {"out": [(1,), {}]}),
    ],
)
def test_the_forms_of_the_last_statement(
    shell: InteractiveShell,
    space: dict[str, Any],
    recorder: Recorder,
    statement: str,
    names: dict[str, Any],
) -> None:
    value = run_last_call(shell, statement, recorder)
    assert [call[1] for call in recorder.calls] == [(1,)]
    assert {name: space[name] for name in names} == names
    assert value is None or statement.startswith("(")


def test_the_value_of_an_expression_keeps_what_is_taken_from_the_result(
    shell: InteractiveShell, space: dict[str, Any], recorder: Recorder
) -> None:
    assert run_last_call(shell, "model(7)[0][0]", recorder) == 7


def test_callee_and_arguments_are_evaluated_once_and_in_order(
    shell: InteractiveShell, recorder: Recorder
) -> None:
    shell.user_ns["order"] = []
    run_last_call(
        shell,
        "def note(x):\n    order.append(x)\n    return x\n"
        "(note('callee') and (lambda *a, **k: None))(note(1), *[note(2)], k=note(3))",
        recorder,
    )
    assert shell.user_ns["order"] == ["callee", 1, 2, 3]


def test_only_the_last_call_is_handed_over(
    shell: InteractiveShell, space: dict[str, Any], recorder: Recorder
) -> None:
    run_last_call(shell, "first = model(1)\nmodel(2)", recorder)
    assert [call[1] for call in recorder.calls] == [(2,)]
    assert space["first"] == [(1,), {}]


def test_nothing_of_the_machinery_stays_in_the_namespace(
    shell: InteractiveShell, space: dict[str, Any], recorder: Recorder
) -> None:
    before = set(space)
    run_last_call(shell, "model(1)", recorder)
    assert set(space) == before
    with pytest.raises(ZeroDivisionError):
        run_last_call(shell, "model(1 / 0)", recorder)
    assert HOOK not in space


def test_ipython_syntax_works_in_the_cell(
    shell: InteractiveShell, space: dict[str, Any], recorder: Recorder
) -> None:
    run_last_call(shell, "%precision 3\nfiles = !echo one\nmodel(files[0])", recorder)
    assert recorder.calls[0][1] == ("one",)


def test_the_source_of_a_function_of_the_cell_can_be_read(
    shell: InteractiveShell, recorder: Recorder
) -> None:
    run_last_call(shell, "def double(x):\n    return 2 * x\ndouble(4)", recorder, header=1)
    assert inspect.getsource(shell.user_ns["double"]) == "def double(x):\n    return 2 * x\n"


@pytest.mark.parametrize("blank", ["", "\n\n"])
def test_an_exception_carries_the_line_that_the_user_sees(
    shell: InteractiveShell, recorder: Recorder, blank: str
) -> None:
    source = f"{blank}def inner(x):\n    return 1 / x\nx = inner(0)\nprint(x)"
    with pytest.raises(ZeroDivisionError) as caught:
        run_last_call(shell, source, recorder, header=1)
    frames = traceback.extract_tb(caught.value.__traceback__)
    outer, inner = [frame for frame in frames if frame.name in {"<module>", "inner"}]
    assert (outer.lineno, outer.line) == (4 + len(blank), "x = inner(0)")
    assert (inner.lineno, inner.line) == (3 + len(blank), "return 1 / x")
    assert linecache.getline(outer.filename, 4 + len(blank)) == "x = inner(0)\n"


def test_future_imports_of_earlier_cells_hold(shell: InteractiveShell, recorder: Recorder) -> None:
    shell.run_cell("from __future__ import annotations")
    run_last_call(shell, "def f(x: Missing): return x\nf(1)", recorder)
    assert recorder.calls[0][0].__annotations__ == {"x": "Missing"}


def test_a_syntax_error_is_one(shell: InteractiveShell, recorder: Recorder) -> None:
    with pytest.raises(SyntaxError):
        run_last_call(shell, "model(", recorder)
    assert recorder.calls == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1", "'x = 1'"),
        ("model(1)\nx", "'x'"),
        ("for i in range(3):\n    model(i)", "'for i in range(3):'"),
        ("def f():\n    return model(1)", "'def f():'"),
        ("if True:\n    model(1)", "'if True:'"),
        ("[model(1)]", "'[model(1)]'"),
        ("import math", "'import math'"),
        ("x: int", "'x: int'"),
    ],
)
def test_a_cell_that_ends_in_no_call_is_refused_before_it_runs(
    shell: InteractiveShell, space: dict[str, Any], recorder: Recorder, source: str, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        run_last_call(shell, f"ran = True\n{source}", recorder)
    assert f"The last statement of the cell, {said}, is not a call." in str(caught.value)
    assert "-m NAME" in str(caught.value)
    assert "ran" not in space


def test_a_cell_of_comments_is_refused(shell: InteractiveShell, recorder: Recorder) -> None:
    with pytest.raises(UsageError, match="nothing to compile in an empty cell"):
        run_last_call(shell, "# nothing\n", recorder)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("print(1)", "print is a built-in function, not a model."),
        ("'text'.upper()", "'text'.upper is a built-in function, not a model."),
        ("[].__len__()", "[].__len__ is a built-in function, not a model."),
        ("dict(a=1)", "dict is a class, and calling it makes an object of it."),
        ("answer(1)", "answer is of type int and cannot be called."),
        ("%time answer(1)", "A magic, or a command of the shell, is not the call of a model."),
        ("%%time\nanswer(1)", "A magic, or a command of the shell, is not the call of a model."),
        ("out = !echo answer", "A magic, or a command of the shell, is not the call of a model."),
    ],
)
def test_a_callee_that_is_no_model_is_named(
    shell: InteractiveShell, recorder: Recorder, call: str, said: str
) -> None:
    shell.user_ns["answer"] = 42
    with pytest.raises(UsageError) as caught:
        run_last_call(shell, call, recorder)
    assert str(caught.value).startswith(said)
    assert isinstance(caught.value.__cause__, CallError)
    assert recorder.calls == []


def test_a_name_that_does_not_exist_is_a_name_error(
    shell: InteractiveShell, recorder: Recorder
) -> None:
    with pytest.raises(NameError, match="modle"):
        run_last_call(shell, "modle(1)", recorder)


def test_a_message_names_the_cell_and_no_file_that_nobody_made(
    shell: InteractiveShell, recorder: Recorder
) -> None:
    shell.run_cell("x = 1", store_history=True)
    run_last_call(shell, "def f(): return 1\nf()", recorder, header=1)
    file = shell.user_ns["f"].__code__.co_filename
    text = f"A branch at {file}:2 in f: if x:. See /tmp/model.py:7."
    number = shell.displayhook.prompt_count
    assert name_cells(shell, text) == (
        f"A branch at cell In[{number}], line 2 in f: if x:. See /tmp/model.py:7."
    )


def test_builtins_are_not_changed(shell: InteractiveShell, recorder: Recorder) -> None:
    run_last_call(shell, "from math import sqrt as root\n(lambda x: root(x))(4)", recorder)
    assert shell.user_ns["root"] is math.sqrt
