"""``await`` in the code that a magic is given, as in a plain cell."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.notebook.conftest import Cell

HEAD = """
import asyncio, contextlib
seen = []
def model(*a): seen.append(a); return a
async def get(x):
    await asyncio.sleep(0)
    return x
@contextlib.asynccontextmanager
async def opened(x):
    yield await get(x)
"""
CELLS = [
    ("await asyncio.sleep(0)\nmodel(1)", (1,)),
    ("x = await get(2)\nmodel(x)", (2,)),
    ("model(await get(3), [await get(y) for y in (1, 2)])", (3, [1, 2])),
    ("out = model(await get(4))\nout", None),
    ("async with opened(5) as x:\n    out = model(x)", None),
    ("async for_me = 3", SyntaxError),
    ("model(*[y async for y in agen()])", NameError),
    ("def f():\n    await get(1)\nmodel(1)", SyntaxError),
    ("await get(1)\nmodel(1 / 0)", ZeroDivisionError),
    ("await get(1)\nmodel(6);", None),
    ("async def inner():\n    return await get(1)\nmodel(7)", (7,)),
    ("model('äöü', await get('ß'))", ("äöü", "ß")),
]
SURE = [(text, value) for text, value in CELLS if not text.startswith("out =")]


@pytest.fixture(params=["in a loop", "alone"])
def run_cell(request: Any, shell: InteractiveShell, api: Any, run: Any) -> Any:
    """Run a cell as a kernel does, in a loop that runs, or as a terminal."""

    def run_in_loop(text: str) -> Cell:
        async def main() -> Any:
            cell = shell.transform_cell(text)
            return await shell.run_cell_async(text, transformed_cell=cell)

        result = asyncio.run(main())
        return Cell(result.result, result.error_before_exec or result.error_in_exec, None)  # type: ignore[arg-type]

    assert run(HEAD).error is None
    return run if request.param == "alone" else run_in_loop


@pytest.mark.parametrize(("text", "value"), SURE)
@pytest.mark.parametrize("magic", ["%%fastcompile -q", "%%fastcompile -q -m model"])
def test_a_cell_awaits(run_cell: Any, api: Any, magic: str, text: str, value: Any) -> None:
    cell = run_cell(f"{magic}\n{text}")
    if isinstance(value, type):
        assert isinstance(cell.error, value)
        assert api.results == []
        return
    assert cell.error is None
    assert cell.value == value
    assert len(api.results) == 1


def test_a_result_is_stored(run_cell: Any, shell: InteractiveShell) -> None:
    assert run_cell("%%fastcompile -q -o kept\nout = model(await get(4))").error is None
    assert shell.user_ns["out"] == (4,)
    assert shell.user_ns["kept"].report is not None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("%fastcompile -q model(await get(1))", (1,)),
        ("r = %fastcompile -q model(await get(1))\nr", (1,)),
        ("ß = 'ß'; x = 2\nr = %fastcompile -q model(await get(x))\nr + (ß,)", (2, "ß")),
        (
            (
                "async def f(z):\n    r = %fastcompile -q model(z, await get(z))\n    return r\n"
                "await f(3)"
            ),
            (3, 3),
        ),
        ("for i in range(3):\n    r = %fastcompile -q model(await get(i))\nr", (2,)),
        ("def f(z):\n    %fastcompile -q model(await get(z))\nf(3)", SyntaxError),
    ],
)
def test_a_line_awaits(run_cell: Any, text: str, value: Any) -> None:
    cell = run_cell(text)
    if isinstance(value, type):
        assert isinstance(cell.error, value)
    else:
        assert cell.error is None
        assert cell.value == value


def test_the_last_call_itself_is_not_awaited(run_cell: Any, api: Any) -> None:
    cell = run_cell("%%fastcompile -q\nawait get(1)")
    assert "await get(1)" in str(cell.error)
    assert "-m NAME" in str(cell.error)
    assert api.results == []


def test_a_call_within_something_awaited_is_compiled_by_its_name(run_cell: Any, api: Any) -> None:
    cell = run_cell(
        "async def go(x):\n    await asyncio.sleep(0)\n    return model(x)\n"
        "r = get_ipython().run_cell_magic('fastcompile', '-q -m model', 'await go(8)')\nr"
    )
    assert cell.error is None
    assert cell.value == (8,)
    assert [call[1] for call in api.compiled] == [(8,)]


def test_a_task_of_the_same_loop_is_heard(run_cell: Any, shell: InteractiveShell) -> None:
    cell = run_cell(
        "%%fastcompile -q\nevent = asyncio.Event()\n"
        "task = asyncio.ensure_future(asyncio.sleep(0))\n"
        "task.add_done_callback(lambda _: event.set())\nawait event.wait()\nmodel(9)"
    )
    assert cell.error is None
    assert cell.value == (9,)


def test_nothing_stays_when_an_awaiting_cell_fails(
    run_cell: Any, shell: InteractiveShell, api: Any
) -> None:
    run_cell("before = set(globals())\nNone")
    run_cell("%%fastcompile -q\nawait get(1 / 0)\nmodel(1)")
    left = set(shell.user_ns) - shell.user_ns["before"] - {"before"}
    assert [name for name in left if "fastcompile" in name] == []


def test_without_autoawait_it_is_the_error_of_a_plain_cell(run: Any, magics: Any) -> None:
    run(HEAD)
    run("%autoawait False")
    try:
        assert isinstance(run("%%fastcompile -q\nawait get(1)\nmodel(1)").error, SyntaxError)
        assert isinstance(run("await get(1)\nmodel(1)").error, SyntaxError)
    finally:
        run("%autoawait True")


def test_other_cells_are_left_alone(shell: InteractiveShell, magics: Any) -> None:
    for text in (
        "await get(1)",
        "print('fastcompile', await get(1))",
        "%%time\nmodel(1)",
        "%%fastcompile\nmodel(1)  # await",
        "%fastcompile_load a m",
        "x = (",
    ):
        plain = shell.transform_cell(text)
        assert "(await get_ipython" not in plain
