"""The package's imports -> the boundaries of its layout, kept.

Every import counts, at the top of a file, inside a function or for type checkers only. The rules
are the architecture: what may know what. A planted crossing of each rule must be found.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import ipy_fastcompile

PACKAGE = "ipy_fastcompile"
ROOT = Path(ipy_fastcompile.__file__).parent
FRONTENDS = ("IPython", "ipykernel", "ipywidgets", "anywidget", "traitlets")


@dataclass(frozen=True)
class Rule:
    """Files whose path starts with one of ``where``, but none of ``but``, import no ``banned``.

    With ``only`` the rule is the other way round: nothing but those, and the standard library.
    """

    where: tuple[str, ...]
    banned: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None


RULES = (
    # Whoever runs a script, a command line or a server needs no frontend.
    Rule(("",), FRONTENDS, but=("notebook/", "show/explorer.py")),
    Rule(
        ("engine/", "cache/", "verification/", "backend/", "planning/"),
        (f"{PACKAGE}.show", f"{PACKAGE}.notebook"),
        but=("cache/command.py",),
    ),
    Rule(
        ("runtime/",),
        (
            "torch._inductor",
            "torch._dynamo",
            "torch._functorch",
            "triton",
            *(f"{PACKAGE}.{part}" for part in ("engine", "show", "notebook")),
        ),
    ),
    Rule(
        ("artifact/",),
        only=tuple(
            f"{PACKAGE}.{part}"
            for part in ("artifact", "grammar", "records", "errors", "version", "frozen", "views")
        ),
    ),
    # Who waits for a process keeps none of what it may load.
    Rule(
        ("children/",),
        only=tuple(f"{PACKAGE}.{part}" for part in ("children", "errors", "interrupts")),
    ),
    Rule(("grammar/",), only=tuple(f"{PACKAGE}.{part}" for part in ("grammar", "errors"))),
    # A reader of strangers' files imports nothing that a stranger could have a say in.
    Rule(
        ("foreign/",),
        only=tuple(
            f"{PACKAGE}.{part}" for part in ("foreign", "artifact", "errors", "data", "views")
        ),
    ),
    Rule(
        ("foreign/",),
        ("pickle", "marshal", "shelve", "importlib", "runpy", "code", "ctypes", "subprocess"),
    ),
    Rule(("errors.py", "data.py", "version.py", "views.py"), only=()),
    Rule(("frozen.py",), only=("typing_extensions",)),
    Rule(("timings.py",), only=(f"{PACKAGE}.frozen",)),
    Rule(
        ("records.py",),
        only=tuple(
            f"{PACKAGE}.{part}" for part in ("data", "views", "frozen", "explains", "timings")
        ),
    ),
    Rule(("explains.py",), only=(f"{PACKAGE}.views",)),
    Rule(
        ("explained.py", "fused.py"),
        only=tuple(f"{PACKAGE}.{part}" for part in ("data", "frozen", "records", "explained")),
    ),
    Rule(
        ("show/",), ("torch", *(f"{PACKAGE}.{part}" for part in ("engine", "runtime", "notebook")))
    ),
)
# A compiled model shows itself (`compiled.explore()`, `print(compiled)`), and only inside these
# methods, so that nobody who does not ask for a view loads one. Records ask `views.py` by name.
DOORS = {
    "engine/reloadable.py": (
        f"{PACKAGE}.show.explorer.Explorer",
        f"{PACKAGE}.show.text.render_text",
    ),
}
# Who imports by a name that is computed: the tables of public names, commands and views, and those
# who import what a user's model or an interrupted import was made of.
BY_NAME = (
    "__init__.py",
    "__main__.py",
    "views.py",
    "interrupts.py",
    "runtime/child.py",
    "verification/recording.py",
    "verification/reference.py",
)
# The one room that knows private names of torch ...
TORCH_COMPAT = "torch_compat/"
# ... and what it may import only inside a function, so that the runtime can use the rest.
HEAVY = ("torch._dynamo", "torch._inductor", "torch._functorch", "triton")
# Where text becomes code: generated code in one place, and the user's own cell in the other.
MAY_EXECUTE = ("runtime/bind.py", "notebook/scope.py")
# In the place of a module's name that is not written in the source.
COMPUTED = "a computed name"


def imports(tree: ast.AST, name: str) -> list[tuple[int, str]]:
    """(line, absolute dotted name) of everything imported; ``from a import b`` gives ``a.b``."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parents = name.split(".")[: -node.level]
                module = ".".join([*parents, module] if module else parents)
            found += [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            called = node.func.id if isinstance(node.func, ast.Name) else called
            target = node.args[0]
            if called in {"import_module", "__import__"}:
                is_written = isinstance(target, ast.Constant)
                found.append((node.lineno, str(target.value) if is_written else COMPUTED))
    return found


def dotted(node: ast.AST) -> str:
    """``a.b.c`` for a chain of attributes on a name, empty for all else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def is_within(name: str, parents: tuple[str, ...]) -> bool:
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents)


def is_private_torch(name: str) -> bool:
    first, *rest = name.split(".")
    return first == "torch" and any(p.startswith("_") and not p.endswith("__") for p in rest)


def is_broken(rule: Rule, file: str, name: str) -> bool:
    """Whether ``file`` must not import ``name``."""
    if not file.startswith(rule.where) or file.startswith(rule.but):
        return False
    if rule.only is None:
        return is_within(name, rule.banned)
    return name.split(".", maxsplit=1)[0] not in sys.stdlib_module_names and not is_within(
        name, rule.only
    )


def crossings(file: str, source: str) -> list[str]:
    """What in ``source``, the text of ``file`` (relative to the package), breaks a rule."""
    tree = ast.parse(source)
    parts = file.removesuffix(".py").split("/")
    module = ".".join([PACKAGE, *parts])
    found = []

    def report(line: int, what: str) -> None:
        found.append(f"{file}:{line}: {what}")

    at_the_top = {name for _, name in imports(ast.Module(top_level(tree), []), module)}
    for line, name in imports(tree, module):
        is_door = name in DOORS.get(file, ()) and name not in at_the_top
        if name == COMPUTED:
            if file not in BY_NAME:
                report(line, f"imports {name}")
        elif not is_door and any(is_broken(rule, file, name) for rule in RULES):
            report(line, f"imports {name}")
        if not file.startswith(TORCH_COMPAT) and is_private_torch(name):
            report(line, f"imports {name}, private to torch")
    if file.startswith(TORCH_COMPAT):
        for line, name in imports(ast.Module(top_level(tree), []), module):
            if is_within(name, HEAVY):
                report(line, f"imports {name} at the top")
    own = {getattr(node, "name", None) for node in ast.walk(tree)}  # a `def compile` of its own
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private_torch(dotted(node)):
            if not file.startswith(TORCH_COMPAT):
                report(node.lineno, f"uses {dotted(node)}, private to torch")
        if isinstance(node, ast.Call) and file not in MAY_EXECUTE:
            called = dotted(node.func).removeprefix("builtins.")
            if called in {"exec", "eval", "compile"} and called not in own:
                report(node.lineno, f"calls {called}")
    return sorted(set(found))


def home_of(name: str, known: frozenset[str], package: str) -> str:
    """The file that ``name``, a module or something in one, is of; empty for another package's."""
    if not is_within(name, (package,)):
        return ""
    parts = name.removeprefix(package).split(".")
    for stop in range(len(parts), 0, -1):
        path = "/".join(parts[1:stop])
        for file in (f"{path}.py", f"{path}/__init__.py".lstrip("/")):
            if file in known:
                return file
    return ""


def circles(sources: dict[str, str], package: str = PACKAGE) -> list[set[str]]:
    """The groups of files, of which each leads to each by imports; ``sources`` are their texts."""
    known = frozenset(sources)
    leads_to: dict[str, set[str]] = {}
    for file, source in sources.items():
        module = ".".join([package, *file.removesuffix(".py").split("/")])
        found = {home_of(name, known, package) for _, name in imports(ast.parse(source), module)}
        leads_to[file] = found - {"", file}
    reached = {file: reach(file, leads_to) for file in sources}
    groups = [{b for b in reached[a] if a in reached[b]} for a in sources if a in reached[a]]
    return [group for n, group in enumerate(groups) if group not in groups[:n]]


def reach(start: str, leads_to: dict[str, set[str]]) -> set[str]:
    """Every file at the end of one import or several, ``start`` itself only around a circle."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = leads_to[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def top_level(tree: ast.Module) -> list[ast.stmt]:
    """The statements that importing the module runs: bodies of functions and classes left out."""
    found: list[ast.stmt] = []
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.append(node)
        is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for field in ("body", "orelse", "finalbody"):
            if not (is_for_types and field == "body"):
                waiting += getattr(node, field, [])
        waiting += [line for handler in getattr(node, "handlers", []) for line in handler.body]
    return found


def files() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))


@pytest.mark.parametrize("file", files())
def test_no_file_crosses_a_boundary(file: str) -> None:
    # `__init__.py` names every part, for type checkers; it imports none of them when it runs.
    if file == "__init__.py":
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        names = [name for _, name in imports(ast.Module(top_level(tree), []), PACKAGE)]
        others = [n for n in names if n.split(".", maxsplit=1)[0] not in sys.stdlib_module_names]
        assert others == ["version.__version__"]
        return
    assert crossings(file, (ROOT / file).read_text(encoding="utf-8")) == []


def test_every_part_of_the_package_is_walked() -> None:
    assert {name.split("/")[0] for name in files() if "/" in name} == {
        "artifact",
        "backend",
        "cache",
        "children",
        "comparing",
        "engine",
        "foreign",
        "grammar",
        "notebook",
        "planning",
        "runtime",
        "show",
        "torch_compat",
        "verification",
    }


def test_no_files_import_each_other_in_a_circle() -> None:
    sources = {file: (ROOT / file).read_text(encoding="utf-8") for file in files()}
    assert circles(sources) == []


def test_no_files_of_the_bench_import_each_other_in_a_circle() -> None:
    folder = ROOT.parent / "tests" / "benchmarks"
    sources = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}
    assert len(sources) > 20
    assert circles(sources, "tests.benchmarks") == []
    sources["options.py"] += "\nfrom tests.benchmarks.run import Run\n"
    assert [sorted(group) for group in circles(sources, "tests.benchmarks")] == [
        ["machine.py", "options.py", "run.py"]
    ]


def test_a_planted_circle_is_found() -> None:
    sources = {
        "__init__.py": "def f():\n    from .a import b",
        "a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .room.c import C",
        "room/__init__.py": "",
        "room/c.py": "def f():\n    from .. import a",
        "room/d.py": "from ipy_fastcompile.room.c import C\nfrom . import e",
        "room/e.py": "import torch\nimport ipy_fastcompile.room.f",
        "room/f.py": "import importlib\nimportlib.import_module('ipy_fastcompile.room.d')",
    }
    assert circles(sources) == [
        {"a.py", "room/c.py"},
        {"room/d.py", "room/e.py", "room/f.py"},
    ]


PLANTED = [
    ("engine/calls/capture.py", "import IPython"),
    ("engine/calls/capture.py", "def f():\n    from IPython.display import display"),
    ("engine/calls/capture.py", "from ...show.text import render_text"),
    ("engine/calls/capture.py", "from ...notebook import compile_magic"),
    ("engine/kernels/lower.py", "from torch._inductor import standalone_compile"),
    ("engine/kernels/lower.py", "import torch\nx = torch._C._dynamo"),
    ("engine/kernels/lower.py", "from torch.utils import _pytree"),
    ("runtime/load.py", "import torch._dynamo"),
    ("runtime/load.py", "from importlib import import_module\nimport_module('torch._inductor')"),
    ("runtime/load.py", "from .. import engine"),
    ("runtime/load.py", "def f():\n    from ..engine.kernels.lower import lower"),
    ("artifact/container.py", "import torch"),
    ("artifact/container.py", "import numpy as np"),
    ("artifact/container.py", "from ..runtime.load import load"),
    ("children/ask.py", "import torch"),
    ("children/ask.py", "from ..runtime.fresh import run_child"),
    ("foreign/unpickle.py", "import torch"),
    ("grammar/check.py", "import torch"),
    ("grammar/check.py", "from ..artifact.container import read"),
    ("foreign/unpickle.py", "def f():\n    import numpy"),
    ("foreign/unpickle.py", "from ..records import Report"),
    ("foreign/records.py", "from ..show.foreign import foreign_html"),
    ("foreign/unpickle.py", "import pickle"),
    ("foreign/unpickle.py", "from importlib import import_module\nimport_module(name)"),
    ("foreign/open.py", "import marshal"),
    ("engine/pipeline.py", "from ..show.explorer import Explorer"),
    ("engine/pipeline.py", "def f():\n    from ..show.view import make_view"),
    ("records.py", "import torch"),
    ("records.py", "from .show.page import write_page"),
    ("records.py", "def f():\n    from .show.page import write_page"),
    ("data.py", "from .records import Report"),
    ("views.py", "from .show import page"),
    ("cache/store.py", "from importlib import import_module\nimport_module(name)"),
    ("errors.py", "from .artifact import container"),
    ("frozen.py", "import torch"),
    ("show/view.py", "import torch"),
    ("show/view.py", "if True:\n    from ipy_fastcompile.engine import pipeline"),
    ("show/view.py", "import ipywidgets"),
    ("show/html.py", "from IPython.display import HTML"),
    ("measure.py", "import IPython"),
    ("torch_compat/inductor.py", "import torch._dynamo"),
    ("torch_compat/inductor.py", "try:\n    import triton\nexcept ImportError:\n    triton = None"),
    ("engine/code/codegen.py", "exec('x = 1')"),
    ("show/view.py", "import builtins\nbuiltins.eval('1')"),
    ("runtime/load.py", "compile('1', 'f', 'eval')"),
]


@pytest.mark.parametrize(("file", "source"), PLANTED)
def test_a_planted_crossing_is_found(file: str, source: str) -> None:
    assert crossings(file, source) != []


ALLOWED = [
    ("engine/kernels/lower.py", "import torch\nfrom ...torch_compat import inductor"),
    ("engine/kernels/lower.py", "from .. import errors, records"),
    ("runtime/load.py", "import torch\nfrom ..artifact.container import read"),
    ("runtime/bind.py", "exec(compile('1', 'f', 'exec'))"),
    ("cache/store.py", "import json\nfrom .. import errors, records"),
    ("show/explorer.py", "import anywidget\nfrom .view import rows"),
    ("notebook/compile_magic.py", "from IPython.core.magic import Magics\nimport torch"),
    ("engine/pipeline.py", "def compile(model): ...\ncompile(None)"),
    ("engine/reloadable.py", "def explore():\n    from ..show.explorer import Explorer"),
    ("engine/pipeline.py", "import torch\ntorch.__version__"),
    ("torch_compat/inductor.py", "import torch\ndef f():\n    import torch._dynamo\ntorch._C"),
    (
        "torch_compat/inductor.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch._inductor",
    ),
]


@pytest.mark.parametrize(("file", "source"), ALLOWED)
def test_what_the_layout_allows_is_not_reported(file: str, source: str) -> None:
    assert crossings(file, source) == []
