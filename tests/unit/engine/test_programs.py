"""Calls of several kinds in one artifact: which program runs, what is shared, what is refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.artifact import limits, open_artifact, save_artifact
from ipy_fastcompile.children.environment import child_environment
from ipy_fastcompile.records import Progress
from ipy_fastcompile.runtime import checks, leaves, refusals, signature
from tests.faults.parts import repack, unpack
from tests.tiny import everything


@dataclass(frozen=True)
class Call:
    """A kind of call, as `record` notes one."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    dynamic: Any = None


class Steps(nn.Module):
    """A step without a state and one with it, which writes to it, as caches are written."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Linear(4, 4)
        self.out = nn.Linear(4, 4)

    def forward(
        self, x: torch.Tensor, state: dict[str, torch.Tensor] | None = None, scale: float = 1.0
    ) -> torch.Tensor:
        hidden = self.into(x)
        if state is not None:
            state["sum"].add_(hidden.sum(0))
            hidden = hidden + state["sum"]
        return self.out(hidden) * scale


def sums() -> dict[str, torch.Tensor]:
    return {"sum": torch.zeros(4)}


CALLS = [
    Call("first", (torch.ones(3, 4),), {}, {"x": {0: ("rows", 2, 64)}}),
    Call("next", (torch.ones(1, 4),), {"state": sums()}),
    Call("scaled", (torch.ones(3, 4),), {"scale": 2.0}, {"x": {0: ("rows", 2, 64)}}),
]


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return Steps().eval()


@pytest.fixture(scope="module")
def compiled(model: nn.Module) -> Any:
    return fc.compile(model, calls=CALLS, split_at=everything, check=True)


@pytest.fixture(scope="module")
def saved(compiled: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs") / "steps.fastcompile"
    compiled.save(path)
    return path


def check_numbers(function: Any, model: nn.Module) -> None:
    """All kinds, twice over, so that each follows upon each other."""
    for rows in (3, 7):
        x, one = torch.randn(rows, 4), torch.randn(1, 4)
        with torch.no_grad():
            torch.testing.assert_close(function(x), model(x))
            torch.testing.assert_close(function(x, scale=2.0), model(x, scale=2.0))
            mine, its = sums(), sums()
            for _ in range(2):
                torch.testing.assert_close(function(one, mine), model(one, its))
                torch.testing.assert_close(mine, its)
            torch.testing.assert_close(function(x), model(x))


@pytest.mark.parametrize("via", ["native", "torch", "fx"])
def test_a_call_runs_the_program_that_it_fits(via: str, saved: Path, model: nn.Module) -> None:
    function = fc.load(saved, model, via=via)
    assert list(function.programs) == ["first", "next", "scaled"]
    check_numbers(function, model)
    x = torch.randn(5, 4)
    assert function.program_of((x,), {}) is function.programs["first"]
    assert function.program_of((x,), {"scale": 2.0}) is function.programs["scaled"]


def test_what_was_compiled_runs_without_a_file(compiled: Any, model: nn.Module) -> None:
    check_numbers(compiled, model)
    assert [program.name for program in compiled.programs] == ["first", "next", "scaled"]


def test_each_program_alone_is_a_function(saved: Path, model: nn.Module) -> None:
    alone = fc.load(saved, model).programs["first"]
    x = torch.randn(2, 4)
    torch.testing.assert_close(alone(x), model(x))
    with pytest.raises(errors.InputError, match="Argument scale was not part of the call"):
        alone(x, scale=2.0)
    assert len(alone.parts.parameters) == 4


def test_a_call_that_fits_none_is_told_the_programs_and_the_nearest(
    saved: Path, model: nn.Module
) -> None:
    function = fc.load(saved, model)
    with pytest.raises(errors.InputError) as caught:
        function(torch.ones(2, 4), sums())
    assert str(caught.value) == (
        "The call fits none of the 3 programs:\n"
        "  first: x float32[rows, 4]\n"
        "  next: x float32[1, 4], state['sum'] float32[4]\n"
        "  scaled: x float32[rows, 4], scale=2.0\n"
        "The nearest is next: Argument x, dimension 0, has size 2, and the compiled function "
        "takes 1.\n"
        "Convert the argument, or compile again with an example like it."
    )
    assert (caught.value.nearest, caught.value.expected, caught.value.found) == ("next", 1, 2)
    with pytest.raises(errors.InputError, match="The nearest is scaled: Argument scale has the va"):
        function(torch.ones(2, 4), scale=3.0)
    with pytest.raises(
        errors.InputError, match=r"The nearest is first: Argument x, dimension 0 \("
    ):
        function(torch.ones(65, 4))


def test_a_call_that_fits_none_writes_nothing(saved: Path, model: nn.Module) -> None:
    state = sums()
    with pytest.raises(errors.InputError):
        fc.load(saved, model)(torch.ones(1, 4), state, scale=3.0)
    assert torch.equal(state["sum"], torch.zeros(4))


def test_no_words_are_made_for_a_program_that_does_not_fit_while_another_does(
    saved: Path, model: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = fc.load(saved, model)
    refused = []

    def counted(make: Any, *facts: Any) -> Exception:
        refused.append(make)
        return refusals.Misfit()

    class Wordy(errors.InputError):
        def __init__(self, *_: Any, **__: Any) -> None:
            raise AssertionError("words were made")

    for module in (checks, leaves, signature):
        monkeypatch.setattr(module, "InputError", Wordy)
    monkeypatch.setattr(checks.QUIET_CHECKS, "_refuse", counted)
    x, one, state = torch.randn(3, 4), torch.randn(1, 4), sums()
    for _ in range(3):
        function(x)
        function(one, state)
        function(x, scale=2.0)
    assert refused


def test_one_kind_of_call_makes_what_the_call_itself_makes(model: nn.Module) -> None:
    only = fc.compile(model, calls=CALLS[:1], split_at=everything)
    usual = fc.compile(model, CALLS[0].args, dynamic=CALLS[0].dynamic, split_at=everything)
    assert only.parts.manifest["programs"][0]["name"] == ""
    texts = [{n for n in c.parts.members if "blobs/" not in n} for c in (only, usual)]
    assert texts == [{"execution.py"}, {"execution.py"}]
    assert (only.report.name, only.report.programs) == ("", ())
    assert only.report.execution_code == usual.report.execution_code
    assert only.function.programs == {"": only.function}


def test_the_report_has_every_program_and_the_worst_error(compiled: Any) -> None:
    report = compiled.report
    assert [program.name for program in report.programs] == ["first", "next", "scaled"]
    assert report.max_error == max(program.max_error for program in report.programs)
    assert all(program.tolerance for program in report.programs)
    assert replace(report.programs[0], name="").execution_code == report.execution_code
    for stage in ("capture", "split", "lower", "codegen"):
        own = [s.seconds for p in report.programs for s in p.stages if s.name == stage]
        (whole,) = [s.seconds for s in report.stages if s.name == stage]
        assert whole == pytest.approx(sum(own))
    assert [s.name for s in report.stages][-1] == "pack"


class Modal(nn.Module):
    def forward(self, x: torch.Tensor, adds: bool = False) -> torch.Tensor:
        return x + 100 if adds and torch.compiler.is_compiling() else x


def test_a_difference_from_eager_names_its_program() -> None:
    x = torch.ones(2)
    calls = [Call("plain", (x,)), Call("adding", (x,), {"adds": True})]
    with pytest.raises(errors.DiffersFromEager, match=r"^adding: The compiled model differs"):
        fc.compile(Modal().eval(), calls=calls, split_at=everything, check=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"args": (torch.ones(3, 4),)}, "calls has examples"),
        ({"dynamic": {"x": {0: "rows"}}}, "calls has examples"),
        ({"calls": []}, "calls is empty: the model was not called"),
        ({"calls": 3}, "calls is 3, not a sequence"),
        ({"calls": [(torch.ones(3, 4),)]}, r"calls\[0\] is a tuple, which has no name"),
        ({"calls": [CALLS[0], CALLS[0]]}, "the names 'first', 'first', which do not tell"),
        ({"calls": [CALLS[0], replace(CALLS[1], name="")]}, "the names 'first', ''"),
    ],
)
def test_calls_that_are_none_are_refused(model: nn.Module, options: Any, said: str) -> None:
    with pytest.raises(errors.CallError, match=said):
        fc.compile(model, **{"calls": CALLS, **options})


def test_a_loaded_function_of_several_programs_can_be_pickled(
    saved: Path, model: nn.Module
) -> None:
    again = pickle.loads(pickle.dumps(fc.load(saved, model)))
    check_numbers(again, model)
    assert repr(again) == (
        "<Steps, 3 programs, 0 kernels, native path: first(x float32[rows, 4]), "
        "next(x float32[1, 4], state['sum'] float32[4]), scaled(x float32[rows, 4], scale=2.0)>"
    )


def test_a_compiled_model_says_on_one_line_what_it_takes(compiled: Any) -> None:
    assert repr(compiled).startswith("<CompiledModel: Steps, 3 programs, 0 kernels: first(x float")


def test_reloads_are_of_all_programs(compiled: Any) -> None:
    before = compiled.report
    try:
        (record,) = (r for r in compiled.time_reloads(runs=1) if r.path == "native")
        assert record.error == ""
        assert 0 < record.load < 5
        text = str(compiled)
        assert "All 3 programs are loaded, and first is called." in text
    finally:
        compiled.report = before


def test_inspect_lists_the_programs(saved: Path) -> None:
    lines = str(fc.inspect(saved)).splitlines()
    assert "  programs    first: x float32[rows, 4]" in lines
    assert "              scaled: x float32[rows, 4], scale=2.0" in lines


def test_parts_are_asked_of_one_program(saved: Path, model: nn.Module) -> None:
    function = fc.load(saved, model)
    with pytest.raises(errors.FastCompileError, match=r"fn.programs\['first'\].parts"):
        function.parts  # noqa: B018


def test_a_profile_is_of_the_program_that_the_call_runs(compiled: Any) -> None:
    before = compiled.report
    try:
        report = compiled.profile(torch.ones(1, 4), sums(), runs=2)
        assert [p.profile is not None for p in report.programs] == [False, True, False]
        assert report.profile is None
        report = compiled.profile(runs=2)
        assert all(program.profile is not None for program in report.programs)
        assert report.profile == report.programs[0].profile
        with pytest.raises(errors.InputError, match="fits none of the 3 programs"):
            compiled.profile(torch.ones(2, 5))
    finally:
        compiled.report = before


def test_the_model_is_followed_by_every_program(saved: Path) -> None:
    torch.manual_seed(1)
    own = Steps().eval()
    function = fc.load(saved, own)
    own.out.weight.data = torch.randn(4, 4)
    check_numbers(function, own)


def test_damage_of_the_second_program_is_refused_by_name(
    saved: Path, model: nn.Module, tmp_path: Path
) -> None:
    members = unpack(saved)
    texts = [name for name in members if name.startswith("programs/1/")]
    assert texts == ["programs/1/execution.py"]
    damaged = members[texts[0]].replace(b"def forward", b"def f0rward")
    assert damaged != members[texts[0]]
    path = tmp_path / "damaged.fastcompile"
    repack(path, {**members, texts[0]: damaged})
    with pytest.raises(errors.MemberCorrupt, match=r"programs/1/execution\.py") as caught:
        fc.load(path, model)
    assert caught.value.member == texts[0]


def test_a_file_of_the_format_before_is_refused_as_older(
    saved: Path, model: nn.Module, tmp_path: Path
) -> None:
    members = unpack(saved)
    now = f'"ipy_fastcompile/{limits.FORMAT_VERSION}"'.encode()
    assert now in members[limits.MANIFEST]
    members[limits.MANIFEST] = members[limits.MANIFEST].replace(now, b'"ipy_fastcompile/2"')
    del members[limits.SIGNATURE]
    path = tmp_path / "older.fastcompile"
    repack(path, members)
    digest = open_digest(path)
    with pytest.raises(
        errors.ArtifactIncompatible, match=r"written by older .* \(format 2"
    ) as caught:
        fc.load(path, model, trust=digest)
    assert "Compile and save it again" in str(caught.value)


def open_digest(path: Path) -> str:
    from hashlib import sha256

    return f"sha256:{sha256(path.read_bytes()).hexdigest()}"


def test_a_summary_tells_of_every_program(saved: Path) -> None:
    info = fc.inspect(saved)
    assert info.report is not None
    assert len(info.report.programs) == 3
    assert "programs/2/execution.py" in str(info)
    assert not info.edited


def test_sizes_are_for_the_programs_that_have_such_a_dimension(model: nn.Module) -> None:
    with pytest.raises(errors.InputError, match="sizes names 'lines', which is not a dynamic"):
        fc.compile(model, calls=CALLS, split_at=everything, sizes={"lines": [2]})
    told: list[Progress] = []
    sizes = {"rows": [2]}
    fc.compile(model, calls=CALLS, split_at=everything, sizes=sizes, progress=told.append)
    assert Progress("capture", 0, 1, "", "next", 1, 3) in told
    assert told[-1] == Progress("pack", 1, 1, "", "", 3, 3)


# --- kernels -------------------------------------------------------------------------------------


class Halves(nn.Module):
    """Two kernels, of which ``flag`` changes the first."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Linear(8, 8)
        self.out = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor, flag: bool = False) -> torch.Tensor:
        x = torch.relu(self.into(x)) if flag else torch.tanh(self.into(x))
        x = torch.sin(x)
        return torch.sigmoid(self.out(x))


def kinds_of(sizes: Sequence[str]) -> list[Call]:
    x = torch.ones(4, 8)
    return [
        Call("plain", (x,), {}, {"x": {0: (sizes[0], 2, 64)}}),
        Call("flagged", (x,), {"flag": True}, {"x": {0: (sizes[1], 2, 64)}}),
    ]


@pytest.fixture(scope="module")
def halves() -> nn.Module:
    torch.manual_seed(0)
    return Halves().eval()


@pytest.fixture(scope="module")
def shared(halves: nn.Module) -> Any:
    """Compiled with other names of the same size, so that what one kernel needs has two names."""
    return fc.compile(halves, calls=kinds_of(["rows", "lines"]), split_at="aten::sin", check=True)


@pytest.mark.slow
def test_kernels_that_programs_share_are_compiled_and_stored_once(shared: Any) -> None:
    plain, flagged = shared.report.programs
    assert len(plain.kernels) == len(flagged.kernels) == 2
    assert plain.kernels[0].digest != flagged.kernels[0].digest
    assert plain.kernels[1].digest == flagged.kernels[1].digest
    assert plain.kernels[1].seconds > 0.0
    assert flagged.kernels[1].seconds == 0.0
    texts = sorted(name for name in shared.parts.members if name.endswith("native.py"))
    assert texts == ["kernels/0/native.py", "kernels/1/native.py", "programs/1/kernels/0/native.py"]
    first, second = shared.parts.manifest["programs"]
    assert first["kernels"][1] == second["kernels"][1]
    functions = shared.function.programs
    assert functions["plain"].parts.kernels[1] is functions["flagged"].parts.kernels[1]
    assert functions["plain"].parts.kernels[0] is not functions["flagged"].parts.kernels[0]


@pytest.mark.slow
@pytest.mark.parametrize("via", ["native", "torch", "fx"])
def test_shared_kernels_give_eagers_numbers_along_every_path(
    via: str, shared: Any, halves: nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / "shared.fastcompile"
    shared.save(path)
    function = fc.load(path, halves, via=via)
    for rows in (2, 5, 64):
        x = torch.randn(rows, 8)
        with torch.no_grad():
            torch.testing.assert_close(function(x), halves(x))
            torch.testing.assert_close(function(x, flag=True), halves(x, flag=True))
    if via != "fx":  # there, each program runs a graph of its own
        kernels = [each.parts.kernels for each in function.programs.values()]
        assert kernels[0][1] is kernels[1][1]


@pytest.mark.slow
def test_every_program_runs_in_a_fresh_process_without_a_compiler(
    shared: Any, halves: nn.Module, tmp_path: Path
) -> None:
    path, weights, x = tmp_path / "a.fastcompile", tmp_path / "weights.pt", torch.randn(7, 8)
    shared.save(path)
    with torch.no_grad():
        expected = halves(x), halves(x, flag=True)
    torch.save((dict(halves.state_dict()), x, expected), weights)
    source = (
        "import sys, torch, ipy_fastcompile as fc\n"
        "weights, x, expected = torch.load(sys.argv[2])\n"
        "fn = fc.load(sys.argv[1], weights)\n"
        "torch.testing.assert_close((fn(x), fn(x, flag=True)), expected)\n"
        "assert set(fn.kernel_ways) == {'native'}, fn.kernel_ways\n"
        "print([m for m in ('torch._dynamo', 'torch._inductor', 'triton') if m in sys.modules])"
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", source, str(path), str(weights)],
        capture_output=True,
        text=True,
        check=False,
        env=child_environment(str(empty)),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_where_the_machine_is_another_every_program_is_compiled_again_from_its_graph(
    shared: Any, halves: nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / "foreign.fastcompile"
    stamp = {**shared.parts.manifest["stamp"], "platform": "elsewhere"}
    save_artifact(path, {**shared.parts.manifest, "stamp": stamp}, shared.parts.members)
    with pytest.raises(errors.ArtifactIncompatible, match="elsewhere"):
        fc.load(path, halves)
    with pytest.warns(errors.FastCompileWarning, match="are recompiled") as told:
        function = fc.load(path, halves, on_mismatch="recompile")
    assert len(told) == 1
    assert set(function.kernel_ways) == {"recompiled"}
    x = torch.randn(9, 8)
    with torch.no_grad():
        torch.testing.assert_close(function(x), halves(x))
        torch.testing.assert_close(function(x, flag=True), halves(x, flag=True))


@pytest.mark.slow
@pytest.mark.parametrize("part", ["code", "library"])
def test_a_part_of_the_second_program_that_is_damaged_is_named(
    part: str, shared: Any, halves: nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / "a.fastcompile"
    shared.save(path)
    second = open_artifact(path).manifest["programs"][1]
    member = second["code"] if part == "code" else second["kernels"][0]["libraries"][0][1]
    members = unpack(path)
    repack(path, {**members, member: members[member][:-1] + b"\1"})
    with pytest.raises(errors.MemberCorrupt, match=member):
        fc.load(path, halves)


def test_an_op_that_only_one_program_has_splits_that_one(model: nn.Module) -> None:
    calls = [CALLS[0], CALLS[1]]
    compiled = fc.compile(model, calls=calls, split_at=["aten::sum"])
    counts = [len(program.split_graph.submodules) for program in compiled.programs]
    assert (counts[0], counts[1] > 1) == (1, True)
    with pytest.raises(errors.SplitError, match="'aten::tanh', and the graph has no such op"):
        fc.compile(model, calls=calls, split_at=["aten::tanh"])
