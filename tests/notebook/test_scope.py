"""The line form in a function, a class, a loop: the names that it sees, and those that it sets."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

HEAD = "seen = []\ndef model(*a): seen.append(a); return a\nouter = 1\n"


@pytest.fixture
def space(shell: InteractiveShell, api: Any, run: Any) -> dict[str, Any]:
    assert run(HEAD).error is None
    return shell.user_ns


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("def f(z):\n    r = %fastcompile -q model(z)\n    return r\nf(2)", (2,)),
        (
            "def f(model, z):\n    r = %fastcompile -q model(z)\n    return r\nf(lambda z: -z, 2)",
            -2,
        ),
        ("def f(z):\n    r = %fastcompile -q -m model model(z)\n    return r\nf(2)", (2,)),
        (
            (
                "def f(net, z):\n    r = %fastcompile -q -m net [net(z) for _ in range(2)]\n"
                "    return r\nf(lambda z: -z, 2)"
            ),
            [-2, -2],
        ),
        ("def f(z):\n    r = %fastcompile -q model(z, outer)\n    return r\nf(2)", (2, 1)),
        (
            "def f(z):\n    r = %fastcompile -q model([x + z for x in (0, 1)])\n    return r\nf(2)",
            ([2, 3],),
        ),
        (
            "def f(z):\n    r = %fastcompile -q model((lambda y: y + z)(1))\n    return r\nf(2)",
            (3,),
        ),
        (
            (
                "def f(z):\n    def g(y):\n        r = %fastcompile -q model(y, z)\n"
                "        return r, z\n    return g(3)\nf(2)"
            ),
            ((3, 2), 2),
        ),
        (
            (
                "def f(z):\n    out = []\n    for i in range(2):\n"
                "        r = %fastcompile -q model(i, z)\n        out += [r]\n    return out\nf(2)"
            ),
            [(0, 2), (1, 2)],
        ),
        ("class A:\n    z = 5\n    r = %fastcompile -q model(z)\nA.r", (5,)),
        ("class A:\n    z = 5\n    %fastcompile -q r = model(z)\nA.r", (5,)),
        (
            (
                "class A:\n    def f(self, z):\n        self.z = z\n"
                "        r = %fastcompile -q model(self.z)\n        return r\nA().f(2)"
            ),
            (2,),
        ),
        (
            "def f(*args, **names):\n    r = %fastcompile -q model(*args)\n    return r\nf(1, b=2)",
            (1,),
        ),
        ("def f(z):\n    r = %fastcompile -q model({'a': z}['a'])\n    return r\nf(2)", (2,)),
        ("def f(z):\n    r = %fastcompile -q model((y := z), y)\n    return r\nf(2)", (2, 2)),
        ("for i in range(3):\n    r = %fastcompile -q model(i)\nr", (2,)),
        ("def f(z):\n    r = %fastcompile -q model(z);\n    return r\nf(2) is None", True),
    ],
)
def test_a_line_sees_what_a_line_of_python_would(
    space: dict[str, Any], run: Any, text: str, value: Any
) -> None:
    cell = run(text)
    assert cell.error is None, cell.printed
    assert cell.value == value


def test_nothing_of_a_function_reaches_the_namespace(space: dict[str, Any], run: Any) -> None:
    before = set(space)
    run("def f(z):\n    r = %fastcompile -q (lambda: model(z))()\n    return r\nf(2)")
    assert {name for name in set(space) - before if not name.startswith("_")} == {"f"}


def test_what_a_line_defines_keeps_the_globals_of_the_user(space: dict[str, Any], run: Any) -> None:
    cell = run(
        "def f(z):\n    r = %fastcompile -q (lambda g: g)(lambda: outer + z)\n    return r\n"
        "late = f(2)\nouter = 10\nlate()"
    )
    assert cell.value == 12


def test_an_exception_in_a_function_names_the_lines_of_the_user_alone(
    space: dict[str, Any], run: Any
) -> None:
    cell = run("def f(z):\n    %fastcompile -q model(z / 0)\nf(2)")
    assert isinstance(cell.error, ZeroDivisionError)
    frames = traceback.extract_tb(cell.error.__traceback__)
    assert frames[-1].line == "model(z / 0)"
    assert frames[-1].name == "<module>"


def test_a_name_that_no_frame_has_is_a_name_error(space: dict[str, Any], run: Any) -> None:
    cell = run("def f(z):\n    %fastcompile -q model(zz)\nf(2)")
    assert isinstance(cell.error, NameError)


def test_options_take_variables_of_the_function(
    space: dict[str, Any], api: Any, run: Any, tmp_path: Any
) -> None:
    run(
        "def f(folder, stem, z):\n"
        "    r = %fastcompile -q --save {folder}/$stem-{stem + 'b'}.fastcompile model({'a': z})\n"
        f"    return r\nr = f({str(tmp_path)!r}, 'a', 2)"
    )
    assert [result.saved for result in api.results] == [[tmp_path / "a-ab.fastcompile"]]
    assert space["r"] == ({"a": 2},)
