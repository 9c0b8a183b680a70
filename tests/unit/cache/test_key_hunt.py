"""The wrong-hit hunt: edits that change the numbers of a model, each of which must be a miss."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ipy_fastcompile.artifact import save_artifact
from ipy_fastcompile.cache.changes import diff_components
from ipy_fastcompile.cache.store import Hit, Miss, Store
from tests.unit.cache.key_project import Project, import_project, open_project, replaced

MODEL = "source:keyed_model.py"


@dataclass(frozen=True)
class Edit:
    """An edit of a file's text; ``components`` are those that the miss must name, and no others.

    ``line`` is a part of what the explanation says.
    """

    name: str
    file: str
    old: str
    new: str
    components: tuple[str, ...]
    line: str = ""


# Of every way in which Python code depends on other code or on values.
EDITS = [
    Edit("a constant in forward", "keyed_model", "level * 0.125", "level * 0.25", (MODEL,),
         "keyed_model.py:96: return x + self.level * 0.125 -> return x + self.level * 0.25"),
    Edit("an operator", "keyed_model", "x + self.level", "x - self.level", (MODEL,)),
    Edit("a global", "keyed_model", "GLOBAL = 1.25", "GLOBAL = 1.5", ("values",),
         "keyed_model.GLOBAL: 1.25 -> 1.5"),
    Edit("a nested item of a global list", "keyed_model", "[3.0, 4.0]]", "[3.0, 5.0]]",
         ("values",)),
    Edit("a lambda in a table", "keyed_model", "lambda x: x * 2.0", "lambda x: x * 2.5", (MODEL,)),
    Edit("a global tensor", "keyed_model", "torch.tensor([1.0, ", "torch.tensor([9.0, ",
         ("values",)),
    Edit("a global array", "keyed_model", "np.array([1.0, 2.0", "np.array([1.0, 9.0", ("values",)),
    Edit("an enum's value", "keyed_model", "FAST = 1.5", "FAST = 1.75", ("structure", "values")),
    Edit("a dataclass default", "keyed_model", "power: float = 2.0", "power: float = 3.0",
         ("structure", "values")),
    Edit("a named tuple's default", "keyed_model", "defaults=(0.25,)", "defaults=(0.5,)",
         ("values",)),
    Edit("a reflected operator", "keyed_model", "offset * 1.0", "offset * 2.0", (MODEL,)),
    Edit("what a slot holds", "keyed_model", "Slotted(0.125)", "Slotted(0.25)",
         ("structure", MODEL)),
    Edit("a closure's cell", "keyed_model", "make_shift(0.5)", "make_shift(0.75)",
         ("structure", MODEL)),
    Edit("a closure's code", "keyed_model", "return x + amount", "return x - amount", (MODEL,)),
    Edit("a decorator's argument", "keyed_model", "@decorated(1.5)", "@decorated(1.75)",
         ("values", MODEL)),
    Edit("a decorator's code", "keyed_model", "(self, x) * factor", "(self, x) / factor", (MODEL,)),
    Edit("a cached function", "keyed_model", "n * 1.5", "n * 1.75", (MODEL,)),
    Edit("a context manager", "keyed_model", "yield 1.0625", "yield 1.125", (MODEL,)),
    Edit("a generator", "keyed_model", "yield 0.75", "yield 0.875", (MODEL,)),
    Edit("a metaclass", "keyed_model", "extra = 0.03125", "extra = 0.0625", (MODEL,)),
    Edit("a class attribute of a base", "keyed_model", "level = 3.0", "level = 4.0", ("values",)),
    Edit("a property of a mixin", "keyed_model", "return 1.5\n", "return 1.25\n", (MODEL,)),
    Edit("a static method", "keyed_model", "x * 1.0625", "x * 1.125", (MODEL,)),
    Edit("a class method", "keyed_model", "x * 1.03125", "x * 1.09375", (MODEL,)),
    Edit("an attribute", "keyed_model", "self.kept = 0.75", "self.kept = 0.5",
         ("structure", MODEL)),
    Edit("a tensor in a list", "keyed_model", "[torch.ones(4)]", "[torch.zeros(4)]",
         ("structure", MODEL)),
    Edit("a partial's argument", "keyed_model", "exponent=2.0", "exponent=3.0",
         ("structure", MODEL)),
    Edit("a method found by a made-up name", "keyed_model", "F.softplus(x)", "F.relu(x)", (MODEL,)),
    Edit("a default", "keyed_helpers", "by=consts.SCALE", "by=7.0",
         ("values", "source:keyed_helpers.py")),
    Edit("a keyword default", "keyed_model", "floor=-8.0", "floor=1e9", ("values", MODEL)),
    Edit("a helper's constant", "keyed_helpers", "angle=0.5", "angle=0.25",
         ("source:keyed_helpers.py",),
         "keyed_helpers.py:11: return _turn(x, angle=0.5) -> return _turn(x, angle=0.25)"),
    Edit("a helper's helper", "keyed_helpers", "angle + 1.0", "angle + 2.0",
         ("source:keyed_helpers.py",)),
    Edit("a class attribute in a helper", "keyed_helpers", "slope = 0.5", "slope = 2.0",
         ("values",)),
    Edit("a constant that became a default", "keyed_consts", "SCALE = 3.0", "SCALE = 4.0",
         ("values",)),
    Edit("a constant two modules away", "keyed_consts", "OFFSET = 0.375", "OFFSET = 0.5",
         ("values",)),
    Edit("a module imported by forward", "keyed_late", "FACTOR = 1.25", "FACTOR = 1.5",
         ("values",)),
    Edit("the order of calls", "keyed_model", "self.lift(x)) * self.gain",
         "self.lift(x * self.gain))",
         (MODEL,)),
]  # fmt: skip


def patched_layer(project: Project, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(nn.Linear, "forward", lambda self, x: F.linear(x, self.weight) * 2)


def patched_function(project: Project, patch: pytest.MonkeyPatch) -> None:
    original = F.softplus
    patch.setattr(F, "softplus", lambda x: original(x) * 3)


def hooked(project: Project, patch: pytest.MonkeyPatch) -> None:
    project.model.first.register_forward_hook(lambda module, args, out: out * 2)


def hooked_before(project: Project, patch: pytest.MonkeyPatch) -> None:
    project.model.second.register_forward_pre_hook(lambda module, args: (args[0] * 2,))


def own_forward(project: Project, patch: pytest.MonkeyPatch) -> None:
    project.model.gate.forward = lambda x: x * 17


def swapped_children(project: Project, patch: pytest.MonkeyPatch) -> None:
    project.model.second.linear = nn.Sequential(nn.Linear(4, 4), nn.Tanh())


def changed_global(project: Project, patch: pytest.MonkeyPatch) -> None:
    project.modules["keyed_late"].FACTOR = 11.0


def changed_in_place(project: Project, patch: pytest.MonkeyPatch) -> None:
    project.modules["keyed_model"].CONSTANT.add_(1)


def changed_method(project: Project, patch: pytest.MonkeyPatch) -> None:
    project.modules["keyed_model"].Base.lift = lambda self, x: x


def changed_environment(project: Project, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("KEYED_NEGATE", "1")


def changed_item(project: Project, patch: pytest.MonkeyPatch) -> None:
    project.modules["keyed_model"].TABLE["double"] = project.modules["keyed_model"].TABLE["half"]


def changed_default(project: Project, patch: pytest.MonkeyPatch) -> None:
    project.modules["keyed_helpers"].scaled.__defaults__ = (1.125,)


def changed_cell(project: Project, patch: pytest.MonkeyPatch) -> None:
    project.model.second.shift.__closure__[0].cell_contents = 2.5


# What happens to the objects while no file changes.
CHANGES: list[tuple[Callable[[Project, pytest.MonkeyPatch], None], set[str]]] = [
    (patched_layer, {"values"}),
    (patched_function, {"values"}),
    (hooked, {"structure"}),
    (hooked_before, {"structure"}),
    (own_forward, {"structure"}),
    (swapped_children, {"structure", "parameters"}),
    (changed_global, {"values"}),
    (changed_in_place, {"values"}),
    (changed_method, {"values", MODEL}),
    (changed_environment, {"environment"}),
    (changed_item, {"values", MODEL}),
    (changed_default, {"values"}),
    (changed_cell, {"structure"}),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all versions of the project: paths are no part of a key, but could be."""
    return tmp_path_factory.mktemp("project")


@pytest.fixture
def base(folder: Path) -> Any:
    project = open_project(folder)
    return project.key(), project.numbers()


@pytest.fixture
def cache(tmp_path: Path, base: Any) -> Store:
    """A cache with one entry, that of the project as it is."""
    store = Store(tmp_path / "cache")
    key = base[0].key
    store.put(key, lambda path: save_artifact(path, {"key": key.manifest_entry}, key.members))
    assert isinstance(store.lookup(key), Hit)
    return store


def test_nothing_in_the_project_is_uncovered(base: Any) -> None:
    assert base[0].uncovered == ()


def test_the_same_files_give_the_same_key(base: Any, folder: Path, tmp_path: Path) -> None:
    assert import_project(folder).key() == base[0]
    assert open_project(tmp_path / "elsewhere").key() == base[0]


def miss_of(cache: Store, project: Project) -> Miss:
    found = cache.lookup(project.key().key)
    assert isinstance(found, Miss)
    return found


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_is_a_miss_that_names_it(edit: Edit, base: Any, cache: Store, folder: Path) -> None:
    project = open_project(folder, {edit.file: replaced(edit.old, edit.new)})
    assert not torch.equal(project.numbers(), base[1]), "the edit changes nothing"
    miss = miss_of(cache, project)
    assert miss.explanation is not None
    assert {change.component for change in miss.explanation.changes} == set(edit.components)
    assert edit.line in str(miss)


@pytest.mark.parametrize(
    ("change", "components"), CHANGES, ids=lambda c: getattr(c, "__name__", "")
)
def test_a_change_of_the_objects_is_a_miss_that_names_it(
    change: Callable[[Project, pytest.MonkeyPatch], None],
    components: set[str],
    base: Any,
    cache: Store,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = open_project(folder)
    change(project, monkeypatch)
    assert not torch.equal(project.numbers(), base[1]), "the change changes nothing"
    miss = miss_of(cache, project)
    assert miss.explanation is not None
    named = {change.component for change in miss.explanation.changes}
    # Code that was not in the key before brings its own file.
    assert {name for name in named if not name.startswith("source:tests/")} == components


def test_the_hunt_is_long_enough() -> None:
    assert len(EDITS) + len(CHANGES) >= 30


def test_a_module_reloaded_in_place_is_a_miss(
    base: Any, cache: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = open_project(folder)
    monkeypatch.syspath_prepend(folder)
    # The next project has a file of the same size here, maybe within the same second.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (folder / "keyed_late.py").write_text(
        "FACTOR = 1.25\n\n\ndef late(x):\n    return x - FACTOR\n"
    )
    importlib.reload(project.modules["keyed_late"])
    assert not torch.equal(project.numbers(), base[1])
    assert "return x * FACTOR -> return x - FACTOR" in str(miss_of(cache, project))


def test_a_deleted_file_is_a_miss_or_the_same_code(base: Any, cache: Store, folder: Path) -> None:
    project = open_project(folder)
    (folder / "keyed_helpers.py").unlink()
    found = cache.lookup(project.key().key)
    # The process still runs what was there; without its text, the key is another one.
    assert isinstance(found, Miss)
    assert {
        c.component for c in diff_components(base[0].key.components, project.key().key.components)
    } == {"source:keyed_helpers.py"}
