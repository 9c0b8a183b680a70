"""Keys: each component changed, keys equal in other processes, and what no key holds."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import json
import linecache
import operator
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import getenv as ask_for
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ipy_fastcompile.cache.changes import Change, diff_components
from ipy_fastcompile.cache.key import flags, machine as key_machine, package as key_package
from ipy_fastcompile.cache.key.call import make_key
from ipy_fastcompile.cache.key.walk import Walk
from tests.unit.cache.key_project import Project, inputs, open_project, replaced

Patch = pytest.MonkeyPatch


# --- every component, one at a time --------------------------------------------------------------


@dataclass
class Call:
    """The arguments of `make_key`, to be changed in one place."""

    model: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    options: dict[str, Any]
    project: Project
    undo: contextlib.ExitStack = dataclasses.field(default_factory=contextlib.ExitStack)

    def key(self) -> Any:
        return make_key(self.model, self.args, self.kwargs, **self.options)


def _edited(file: str, old: str, new: str) -> Callable[[Call, Patch], None]:
    def change(call: Call, patch: Patch) -> None:
        call.model = open_project(call.project.folder, {file: replaced(old, new)}).model

    return change


def _call(call: Call, patch: Patch) -> None:
    call.model = call.model.encode


def _inputs(call: Call, patch: Patch) -> None:
    call.args = (inputs().repeat(2, 1),)


def _option(name: str, value: Any) -> Callable[[Call, Patch], None]:
    return lambda call, patch: call.options.update({name: value})


def _structure(call: Call, patch: Patch) -> None:
    call.model.first.linear.train()


def _parameters(call: Call, patch: Patch) -> None:
    call.model.second.linear.double()


def _values(call: Call, patch: Patch) -> None:
    call.project.modules["keyed_late"].FACTOR = 9.0


def _flags(call: Call, patch: Patch) -> None:
    torch.set_float32_matmul_precision("high")


def _inductor(call: Call, patch: Patch) -> None:
    import torch._inductor.config

    # torch's own patch: its config modules do not come back from monkeypatch's.
    call.undo.enter_context(torch._inductor.config.patch(epilogue_fusion=False))


def _export(call: Call, patch: Patch) -> None:
    import torch._dynamo.config

    call.undo.enter_context(torch._dynamo.config.patch(assume_static_by_default=False))


def _environment(call: Call, patch: Patch) -> None:
    patch.setenv("OMP_PROC_BIND", "true")


def _stamp(call: Call, patch: Patch) -> None:
    stamp = key_machine.machine_stamp(cpu_binaries=True)
    patch.setattr(key_machine, "machine_stamp", lambda **_: {**stamp, "torch": "9.9.9"})


def _own(call: Call, patch: Patch) -> None:
    patch.setattr(key_machine, "__version__", "99.0")


def _package(call: Call, patch: Patch) -> None:
    patch.setattr(key_package, "package_version", lambda name: "99.0")


# Component -> what changes it, and what the change is called in the explanation.
FACTORS: dict[str, tuple[Callable[[Call, Patch], None], str]] = {
    "call": (_call, "keyed_model.Model.encode"),
    "inputs": (_inputs, "torch.float32[4, 4]"),
    "dynamic": (_option("dynamic", {"x": {0: ("rows", 1, 64)}}), "'rows'"),
    "split_at": (_option("split_at", ("aten::linear",)), "aten::linear"),
    "sizes": (_option("sizes", {"rows": [1, 16]}), "rows = list(1) -> rows = list(1, 16)"),
    "structure": (_structure, "model.first.linear.training: False -> True"),
    "parameters": (_parameters, "torch.float64[4, 4]"),
    "values": (_values, "keyed_late.FACTOR: 1.25 -> 9.0"),
    "flags": (_flags, "float32 matmul precision: 'highest' -> 'high'"),
    "inductor config": (_inductor, "_inductor.config.epilogue_fusion = False"),
    "export config": (_export, "_dynamo.config.assume_static_by_default = False"),
    "environment": (_environment, "OMP_PROC_BIND = 'true'"),
    "stamp": (_stamp, "torch: "),
    "ipy_fastcompile": (_own, "-> 99.0"),
    "package:numpy": (_package, "version: "),
    "source:keyed_model.py": (
        _edited("keyed_model", "level * 0.125", "level * 0.25"),
        "keyed_model.py:96: return x + self.level * 0.125 -> return x + self.level * 0.25",
    ),
    "source:keyed_helpers.py": (
        _edited("keyed_helpers", "angle + 1.0", "angle + 3.0"),
        "keyed_helpers.py:15: return x * angle + 1.0 -> return x * angle + 3.0",
    ),
    "source:keyed_late.py": (
        _edited("keyed_late", "x * FACTOR", "x / FACTOR"),
        "keyed_late.py:5: return x * FACTOR -> return x / FACTOR",
    ),
    "source:generated": (
        _edited("keyed_model", '"a b", defaults=(0.25,)', '"a b", defaults=(0.25,), module=None'),
        "",
    ),
}


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Call]:
    precision = torch.get_float32_matmul_precision()
    project = open_project(tmp_path / "project")
    yield Call(project.model, (inputs(),), {}, {"sizes": {"rows": [1]}}, project)
    torch.set_float32_matmul_precision(precision)


def test_every_component_is_a_known_factor(call: Call) -> None:
    key = call.key()
    assert key.uncovered == ()
    assert set(key.key.components) == set(FACTORS)


@pytest.mark.parametrize("component", [name for name in FACTORS if name != "source:generated"])
def test_a_changed_factor_is_named_and_no_other(
    component: str, call: Call, monkeypatch: Patch
) -> None:
    before = call.key().key
    change, said = FACTORS[component]
    with call.undo:
        change(call, monkeypatch)
        changes = changes_between(before, call.key().key)
    assert [change.component for change in changes] == [component]
    assert said in str(changes[0])


def test_code_without_a_file_is_a_component_too(tmp_path: Path) -> None:
    def compiled(text: str) -> Any:
        scope: dict[str, Any] = {"__name__": "made_up"}
        exec(compile(text, "<made up>", "exec"), scope)
        return scope["f"]

    before = make_key(compiled("def f(x): return x * 2.0"), (inputs(),)).key
    after = make_key(compiled("def f(x): return x * 3.0"), (inputs(),)).key
    assert [c.component for c in changes_between(before, after)] == ["source:generated"]


def changes_between(before: Any, after: Any) -> tuple[Change, ...]:
    return diff_components(before.components, after.components)


# --- flags ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def _flag(read: Callable[[], Any], write: Callable[[Any], Any], value: Any) -> Iterator[None]:
    before = read()
    write(value)
    try:
        yield
    finally:
        write(before)


@contextlib.contextmanager
def _global_hook(register: Callable[..., Any]) -> Iterator[None]:
    handle = register(lambda *args: None)
    try:
        yield
    finally:
        handle.remove()


class _Mode(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class _Dispatch(torch.utils._python_dispatch.TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def _backend(module: Any, name: str, value: Any) -> Any:
    return lambda: _flag(lambda: getattr(module, name), lambda v: setattr(module, name, v), value)


def _split_k(name: str) -> Any:
    matmul = torch.backends.cuda.matmul
    return _flag(lambda: (True, True), lambda value: setattr(matmul, name, value), (False, False))


def _deterministic(warn_only: bool) -> Any:
    return _flag(
        lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda v: torch.use_deterministic_algorithms(v[0], warn_only=v[1]),
        (True, warn_only),
    )


_cuda = torch.backends.cuda
_modules = torch.nn.modules.module
FLAGS: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "default dtype": lambda: _flag(torch.get_default_dtype, torch.set_default_dtype, torch.float64),
    "default device": lambda: _flag(lambda: None, torch.set_default_device, "meta"),
    "float32 matmul precision": lambda: _flag(
        torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "medium"
    ),
    "deterministic algorithms": lambda: _deterministic(warn_only=False),
    "deterministic algorithms only warn": lambda: _deterministic(warn_only=True),
    "fill uninitialized memory": _backend(
        torch.utils.deterministic, "fill_uninitialized_memory", False
    ),
    "inference mode": torch.inference_mode,
    "threads": lambda: _flag(torch.get_num_threads, torch.set_num_threads, 1),
    "mkldnn": lambda: torch.backends.mkldnn.flags(enabled=False),
    "mkldnn deterministic": lambda: torch.backends.mkldnn.flags(enabled=True, deterministic=True),
    "cudnn": _backend(torch.backends.cudnn, "enabled", False),
    "cudnn benchmark": _backend(torch.backends.cudnn, "benchmark", True),
    "cudnn deterministic": _backend(torch.backends.cudnn, "deterministic", True),
    "cudnn tf32": _backend(torch.backends.cudnn, "allow_tf32", False),
    "cublas tf32": _backend(_cuda.matmul, "allow_tf32", True),
    "fp16 reduction": _backend(_cuda.matmul, "allow_fp16_reduced_precision_reduction", False),
    "bf16 reduction": _backend(_cuda.matmul, "allow_bf16_reduced_precision_reduction", False),
    "fp16 accumulation": _backend(_cuda.matmul, "allow_fp16_accumulation", True),
    "fp16 split k": lambda: _split_k("allow_fp16_reduced_precision_reduction"),
    "bf16 split k": lambda: _split_k("allow_bf16_reduced_precision_reduction"),
    **{
        f"fp32 precision {place}": _backend(
            operator.attrgetter(place)(torch.backends), "fp32_precision", value
        )
        for place, value in (
            ("cuda.matmul", "tf32"),
            ("cudnn.conv", "ieee"),
            ("cudnn.rnn", "ieee"),
            ("mkldnn.matmul", "bf16"),
            ("mkldnn.conv", "bf16"),
            ("mkldnn.rnn", "bf16"),
        )
    },
    "flash attention": lambda: _flag(_cuda.flash_sdp_enabled, _cuda.enable_flash_sdp, False),
    "efficient attention": lambda: _flag(
        _cuda.mem_efficient_sdp_enabled, _cuda.enable_mem_efficient_sdp, False
    ),
    "math attention": lambda: _flag(_cuda.math_sdp_enabled, _cuda.enable_math_sdp, False),
    "cudnn attention": lambda: _flag(_cuda.cudnn_sdp_enabled, _cuda.enable_cudnn_sdp, False),
    "autocast cpu": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "autocast cuda": lambda: _flag(
        lambda: False, lambda on: torch.set_autocast_enabled("cuda", on), True
    ),
    "global forward hooks": lambda: _global_hook(_modules.register_module_forward_hook),
    "global forward pre hooks": lambda: _global_hook(_modules.register_module_forward_pre_hook),
    "function modes": _Mode,
    "dispatch modes": _Dispatch,
}
# They are this machine's, not the user's to change.
OF_THE_MACHINE = {"cpu capability", "cuda"}


def test_every_flag_is_tried() -> None:
    assert set(flags.global_flags()) == set(FLAGS) | OF_THE_MACHINE


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_is_a_miss_that_names_it(flag: str) -> None:
    model, x = nn.Linear(4, 4), inputs()
    before = make_key(model, (x,)).key
    with FLAGS[flag]():
        after = make_key(model, (x,)).key
    changes = {change.component: change for change in changes_between(before, after)}
    assert "flags" in changes
    assert flag in str(changes["flags"])
    # A mode is the user's code, which the key then holds as well; Inductor has a switch of its own
    # that follows torch's.
    others = {"values", "source:tests/unit/cache/test_key.py", "inductor config"}
    assert set(changes) <= {"flags", *others}
    assert make_key(model, (x,)).key == before


# --- inputs, dynamic dimensions, parameters ------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (torch.ones(2, 3), torch.ones(2, 3, dtype=torch.float64)),
        (torch.ones(2, 3), torch.ones(3, 2).t()),
        (torch.ones(2, 3), [torch.ones(2, 3)]),
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        ("a", "b"),
        ({"a": 1}, {"b": 1}),
        ((1, 2), [1, 2]),
        (None, 0),
    ],
    ids=str,
)
def test_inputs_that_differ(a: Any, b: Any) -> None:
    keys = [make_key(nn.Identity(), (x,)).key for x in (a, b)]
    assert [c.component for c in changes_between(*keys)] == ["inputs"]


def test_values_of_inputs_and_parameters_are_no_part_of_a_key() -> None:
    model = nn.Linear(3, 3)
    before = make_key(model, (torch.zeros(2, 3),)).key
    with torch.no_grad():
        model.weight.fill_(7)
    assert make_key(model, (torch.ones(2, 3),)).key == before


def test_inputs_that_share_memory_are_others() -> None:
    x = torch.ones(2, 3)
    shared = make_key(nn.Identity(), (x, x)).key
    apart = make_key(nn.Identity(), (x, x.clone())).key
    assert [c.component for c in changes_between(shared, apart)] == ["inputs"]


def _tied() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    return model


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.double(),
        lambda m: m[0].register_parameter("bias", None),
        lambda m: setattr(m[1], "weight", nn.Parameter(torch.ones(3, 3))),
        lambda m: setattr(m[0], "weight", nn.Parameter(torch.ones(3, 3).t())),
        lambda m: m.register_buffer("extra", torch.ones(2)),
        lambda m: m.register_buffer("extra", torch.ones(2), persistent=False),
    ],
    ids=["dtype", "no bias", "untied", "strides", "buffer", "buffer that is not saved"],
)
def test_parameters_that_differ(change: Callable[[Any], Any]) -> None:
    model = _tied()
    if change.__code__.co_consts and "strides" in str(change):
        model[0].weight = nn.Parameter(torch.ones(3, 3))
    before = make_key(model, (torch.ones(2, 3),)).key
    change(model)
    after = make_key(model, (torch.ones(2, 3),)).key
    assert [c.component for c in changes_between(before, after)] == ["parameters"]


def test_whether_a_gradient_is_wanted_does_not_matter() -> None:
    model = _tied()
    before = make_key(model, (torch.ones(2, 3),)).key
    model.requires_grad_(False)
    assert make_key(model, (torch.ones(2, 3),)).key == before


def test_dynamic_dimensions_by_torchs_own_objects() -> None:
    def key(**options: Any) -> Any:
        return make_key(
            nn.Identity(), (inputs(),), dynamic={"x": {0: torch.export.Dim("n", **options)}}
        ).key

    assert key() == key()
    assert [c.component for c in changes_between(key(), key(max=9))] == ["dynamic"]


def test_a_function_that_splits_counts_with_its_code() -> None:
    def every(step: int) -> Callable[[Any], Any]:
        return lambda node: step

    keys = [make_key(nn.Identity(), (inputs(),), split_at=every(n)).key for n in (2, 2, 3)]
    assert keys[0] == keys[1]
    assert [c.component for c in changes_between(keys[0], keys[2])] == ["split_at"]


def test_functions_of_one_name_that_change_places() -> None:
    table = {"a": lambda x: x * 2, "b": lambda x: x * 3}
    before = make_key(Attribute(table), (inputs(),)).key
    table["a"], table["b"] = table["b"], table["a"]
    (change,) = changes_between(before, make_key(Attribute(table), (inputs(),)).key)
    assert change.component == "source:tests/unit/cache/test_key.py"


# --- functions, methods, cells -------------------------------------------------------------------


def cell(text: str, number: int, scope: dict[str, Any]) -> None:
    """Run a cell of a notebook as IPython does."""
    name = f"/tmp/ipykernel_{os.getpid()}/{number}.py"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    exec(compile(text, name, "exec"), scope)


def test_a_redefined_cell_is_a_miss() -> None:
    scope: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    helper = "def helper(x):\n    return x * {}\n"
    cell(helper.format(2), 1, scope)
    cell("def f(x):\n    return helper(x) + 1\n", 2, scope)
    before = make_key(scope["f"], (inputs(),)).key
    cell(helper.format(2), 3, scope)
    assert make_key(scope["f"], (inputs(),)).key == before
    cell(helper.format(5), 4, scope)
    (change,) = changes_between(before, make_key(scope["f"], (inputs(),)).key)
    assert change.component == "source:cells"
    assert "cell, helper:2: return x * 2 -> return x * 5" in str(change)


def test_names_of_a_notebook_that_only_look_the_same_are_left_alone() -> None:
    scope: dict[str, Any] = {"__name__": "__main__", "shape": 1, "data": Path(os.devnull).open()}  # noqa: SIM115
    cell("def f(x):\n    return x.data.reshape(x.shape)\n", 1, scope)
    before = make_key(scope["f"], (inputs(),))
    assert before.uncovered == ()
    scope["shape"] = 2
    assert make_key(scope["f"], (inputs(),)) == before


class Owner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def one(self, x: Any) -> Any:
        return self.layer(x)

    def two(self, x: Any) -> Any:
        return self.layer(x)


def test_methods_of_one_module_have_keys_of_their_own() -> None:
    owner = Owner()
    keys = [make_key(m, (inputs(),)).key for m in (owner.one, owner.two)]
    assert [c.component for c in changes_between(*keys)] == ["call"]


def test_a_function_that_uses_a_module_holds_its_weights() -> None:
    layer = nn.Linear(4, 4)

    def f(x: Any) -> Any:
        return layer(x)

    before = make_key(f, (inputs(),)).key
    assert make_key(f, (inputs(),)).key == before
    with torch.no_grad():
        layer.weight.fill_(3)
    assert "sha256" in str(changes_between(before, make_key(f, (inputs(),)).key))


def test_a_custom_op_counts_with_its_code() -> None:
    def register(factor: float) -> Any:
        library = torch.library.Library("fastcompile_key", "FRAGMENT")
        library.define("scale(Tensor x) -> Tensor")
        torch.library.register_fake("fastcompile_key::scale", lambda x: x * factor, lib=library)
        return library

    def f(x: Any) -> Any:
        return torch.ops.fastcompile_key.scale(x)

    library = register(1.0)
    before = make_key(f, (inputs(),)).key
    library._destroy()
    library = register(2.0)
    changes = changes_between(before, make_key(f, (inputs(),)).key)
    library._destroy()
    assert any("factor: 1.0 -> 2.0" in str(c) for c in changes)


# --- what no key holds ---------------------------------------------------------------------------


class Attribute(nn.Module):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Any) -> Any:
        return x * float(bool(self.value))


class Unused(nn.Module):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Any) -> Any:
        return x


class Made(nn.Module):
    def forward(self, x: Any, kind: str = "value") -> Any:
        return x * float(bool(getattr(self, f"{kind}")))


class Hidden:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return "always the same"


def nested(depth: int) -> Any:
    value: Any = Hidden()
    for _ in range(depth):
        value = [value]
    return value


INDESCRIBABLE = {
    "a generator": lambda: (n for n in range(3)),
    "an iterator": itertools.count,
    "an open file": lambda: Path(os.devnull).open(),  # noqa: SIM115
    "a set of objects": lambda: {Hidden()},
    "a random number generator": lambda: random.Random(0),
    "a numpy generator": lambda: np.random.default_rng(0),
    "a thread's own data": threading.local,
    "a tensor subclass": lambda: torch.ones(2).as_subclass(type("Mine", (torch.Tensor,), {})),
    "a sparse tensor": lambda: torch.ones(2).to_sparse(),
    "an array of objects": lambda: np.array([Hidden()], dtype=object),
    "something nested too deep": lambda: nested(80),
    "a script module": lambda: torch.jit.script(nn.ReLU()),
}


@pytest.mark.parametrize("make", INDESCRIBABLE.values(), ids=INDESCRIBABLE)
def test_what_cannot_be_described_matches_nothing(make: Callable[[], Any]) -> None:
    model = Attribute(make())
    first, again = make_key(model, (inputs(),)), make_key(model, (inputs(),))
    assert first.uncovered
    assert any("model.value" in line for line in first.uncovered), first.uncovered
    assert first.key.digest != again.key.digest
    assert [c.component for c in changes_between(first.key, again.key)] == ["uncovered"]


def test_what_no_code_mentions_does_not_matter() -> None:
    assert make_key(Unused(itertools.count()), (inputs(),)).uncovered == ()


def test_what_code_may_make_up_the_name_of_does() -> None:
    model = Made()
    model.value = itertools.count()
    assert make_key(model, (inputs(),)).uncovered


@dataclass(frozen=True)
class Frozen:
    scale: float = 2.0
    sizes: tuple[int, ...] = (1, 2)


class Equal:
    def __init__(self, scale: float) -> None:
        self.scale = scale

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal) and self.scale == other.scale

    def __hash__(self) -> int:
        return hash((type(self), super().__hash__() and id(self) and self.scale))


SCALES: dict[Any, float] = {Frozen(): 3.0, Frozen(3.0): 4.0}


class Configured(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    def forward(self, x: Any, config: Any = None) -> Any:
        found = self.config if config is None else config
        return x * found.scale * SCALES.get(found, 1.0)


@pytest.mark.parametrize("kind", [Frozen, Equal])
def test_an_object_that_can_be_a_key_of_a_dict_is_covered(kind: Any) -> None:
    key = make_key(Configured(kind(2.0)), (inputs(),))
    assert key.uncovered == ()
    changed = make_key(Configured(kind(3.0)), (inputs(),))
    assert [c.component for c in changes_between(key.key, changed.key)] == ["structure"]
    assert make_key(Configured(None), (inputs(), Frozen(2.0))).uncovered == ()


def _in_a_package(table: dict[str, Any]) -> dict[str, str]:
    walk = Walk()
    with walk.component("package:some"), walk.binding("TABLE"):
        walk.describe("some.TABLE", table)
    return walk.components()


def test_names_that_a_package_keeps_count_in_any_order() -> None:
    names = {f"name {i}": str(i) if i else None for i in range(20)}
    same = dict(reversed(names.items()))
    assert _in_a_package(names) == _in_a_package(same)
    assert _in_a_package(names) != _in_a_package(names | {"name 3": "1"})
    assert _in_a_package({"b": nn.ReLU, "a": nn.GELU}) != _in_a_package(
        {"a": nn.GELU, "b": nn.ReLU}
    )


def test_a_hash_that_is_asked_for_is_not_covered() -> None:
    def asks(x: Any) -> Any:
        return x * (hash(SCALES.get(Frozen(), 1.0)) % 7)

    assert make_key(asks, (inputs(),)).uncovered


def reads_a_file(x: Any) -> Any:
    with open(__file__) as file:  # noqa: PTH123
        return x * len(file.read())


def tells_the_time(x: Any) -> Any:
    return x * time.time()


def rolls_dice(x: Any) -> Any:
    return x * random.random()


def rolls_numpys_dice(x: Any) -> Any:
    return x * float(np.random.rand())


def loads(x: Any) -> Any:
    return x * torch.load("weights.pt")


def evaluates(x: Any) -> Any:
    return x * eval("2 + 2")


def lists_a_directory(x: Any) -> Any:
    return x * len(os.listdir())  # noqa: PTH208


def looks_for_a_file(x: Any) -> Any:
    return x * os.path.exists("flag")  # noqa: PTH110


def imports_late(x: Any) -> Any:
    import uuid

    return x * uuid.uuid4().int


OUTSIDE = [
    reads_a_file,
    tells_the_time,
    rolls_dice,
    rolls_numpys_dice,
    loads,
    evaluates,
    lists_a_directory,
    looks_for_a_file,
    imports_late,
]


@pytest.mark.parametrize("function", OUTSIDE, ids=lambda f: f.__name__)
def test_what_reads_the_outside_world_matches_nothing(function: Callable[..., Any]) -> None:
    key = make_key(function, (inputs(),))
    assert function.__name__ in key.uncovered[0]
    assert "not in the key" in key.uncovered[0]


def reads_the_environment(x: Any) -> Any:
    return x * float(os.environ["KEY_TEST_SCALE"])


def test_an_environment_variable_is_part_of_the_key(monkeypatch: Patch) -> None:
    monkeypatch.setenv("KEY_TEST_SCALE", "1")
    before = make_key(reads_the_environment, (inputs(),))
    assert before.uncovered == ()
    monkeypatch.setenv("KEY_TEST_SCALE", "2")
    (change,) = changes_between(before.key, make_key(reads_the_environment, (inputs(),)).key)
    assert change.component == "environment"
    assert "KEY_TEST_SCALE = '1'" in change.old
    assert "KEY_TEST_SCALE = '2'" in change.new


def reads_it_by_a_name_of_its_own(x: Any) -> Any:
    return x * float(ask_for("KEY_TEST_SCALE", "1"))


def test_the_function_that_looks_into_the_environment_may_be_imported_by_itself(
    monkeypatch: Patch,
) -> None:
    before = make_key(reads_it_by_a_name_of_its_own, (inputs(),))
    assert before.uncovered == ()
    monkeypatch.setenv("KEY_TEST_SCALE", "2")
    (change,) = changes_between(
        before.key, make_key(reads_it_by_a_name_of_its_own, (inputs(),)).key
    )
    assert change.component == "environment"


def dispatching(by_int: float, by_text: float) -> nn.Module:
    @functools.singledispatch
    def scale(kind: Any, x: Any) -> Any:
        return x

    scale.register(int, lambda kind, x: x * by_int)

    class Dispatching(nn.Module):
        @functools.singledispatchmethod
        def shift(self, kind: Any) -> Any:
            return 0.0

        shift.register(str, lambda self, kind: by_text)

        def forward(self, x: Any) -> Any:
            return scale(1, x) + self.shift("a")

    return Dispatching()


def test_single_dispatch_counts_with_its_registry_and_not_with_its_memory() -> None:
    model = dispatching(2.0, 3.0)
    before = make_key(model, (inputs(),))
    assert before.uncovered == ()
    model(inputs())
    assert make_key(model, (inputs(),)) == before
    for other in (dispatching(5.0, 3.0), dispatching(2.0, 5.0)):
        assert make_key(other, (inputs(),)).key != before.key


class KeepsForItself(nn.Module):
    """Its attributes have names under which libraries keep what does not matter."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self._box = value
        self.enter_exit_hooks = value

    def forward(self, x: Any) -> Any:
        return x * self._box


def test_names_that_libraries_use_for_themselves_count_where_they_are_the_users() -> None:
    keys = [make_key(KeepsForItself(value), (inputs(),)).key for value in (1.0, 2.0)]
    (change,) = changes_between(*keys)
    assert "_box: 1.0 -> 2.0" in str(change)

    def scaled(x: Any) -> Any:
        return x * scaled._box  # type: ignore[attr-defined]

    scaled._box = 1.0  # type: ignore[attr-defined]
    before = make_key(scaled, (inputs(),)).key
    scaled._box = 2.0  # type: ignore[attr-defined]
    assert make_key(scaled, (inputs(),)).key != before


# --- equal in other processes --------------------------------------------------------------------


def test_the_working_directory_is_no_part_of_the_key(tmp_path: Path) -> None:
    # Inductor's configuration holds the directory it was imported in.
    asked = (
        "import os, sys\n"
        "import torch._dynamo.config, torch._functorch.config, torch._inductor.config\n"
        "from ipy_fastcompile.cache.key import flags\n"
        "os.chdir(sys.argv[1])\n"
        "for part in ('dynamo', 'functorch', 'inductor'):\n"
        "    print(flags.changed_configuration(f'torch._{part}.config'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked, str(tmp_path)], capture_output=True, text=True
    )
    assert done.stdout.split("\n") == ["{}", "{}", "{}", ""], done.stderr


_CHILD = """
import json, sys, warnings
warnings.simplefilter("ignore")
import torch
from ipy_fastcompile.cache.key.call import make_key
from tests.architectures.zoo import BUILDERS
found = {}
for name in json.loads(sys.argv[1]):
    case = BUILDERS[name]()
    if sys.argv[2] == "used":
        from ipy_fastcompile.engine.calls.capture import capture
        with torch.no_grad():
            case.model(*case.args, **case.kwargs)
        capture(case.model, case.args, case.kwargs, dynamic=case.dynamic)
        case = type(case)(**{**vars(case), "args": BUILDERS[name]().args})
    key = make_key(case.model, case.args, case.kwargs, dynamic=case.dynamic)
    found[name] = [dict(key.key.components), list(key.uncovered)]
print(json.dumps(found))
"""
_NAMES = ["llama", "t5", "mamba", "vit", "nested_trees", "custom_op", "buffer_mutation"]


def keys_in_a_process(seed: int, state: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, json.dumps(_NAMES), state],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_keys_are_equal_in_another_process_and_after_a_capture() -> None:
    fresh, used = keys_in_a_process(1, "fresh"), keys_in_a_process(2, "used")
    for name in _NAMES:
        assert fresh[name][1] == [], name
        assert diff_components(fresh[name][0], used[name][0]) == (), name
