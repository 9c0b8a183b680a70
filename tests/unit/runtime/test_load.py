"""Loading: paths, misfits, missing ops and parameters, inputs that do not fit, fixed sizes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.artifact import open_artifact, save_artifact
from ipy_fastcompile.children.environment import child_environment
from ipy_fastcompile.runtime.elf import needed_libraries
from ipy_fastcompile.runtime.fresh import measure_reloads, run_child

pytestmark = pytest.mark.slow
_LOADED_BY_TORCH = (
    "import torch, sys\n"
    "print([m for m in ('torch._dynamo', 'torch._inductor', 'triton') if m in sys.modules])"
)


def repack(source: Path, target: Path, change: Any) -> Path:
    """A signed copy of an artifact with its manifest and members changed."""
    artifact = open_artifact(source)
    members = {name: artifact.read(name) for name in artifact.names}
    manifest = json.loads(json.dumps(artifact.manifest))
    for key in ("format", "package", "created", "members"):
        manifest.pop(key, None)
    change(manifest, members)
    save_artifact(target, manifest, members)
    return target


@pytest.mark.parametrize("via", ["native", "torch", "fx"])
def test_each_path_gives_eagers_numbers_at_other_sizes(
    via: str, tiny_artifact: Path, tiny_model: Any
) -> None:
    function = fc.load(tiny_artifact, tiny_model, via=via)
    for length in (2, 8, 17):
        ids = torch.arange(length).reshape(1, length) % 16
        with torch.no_grad():
            torch.testing.assert_close(function(ids), tiny_model(ids))
    assert function.via == via


def test_weights_may_come_from_a_state_dict(
    tiny_artifact: Path, tiny_model: Any, tiny_ids: Any
) -> None:
    function = fc.load(tiny_artifact, tiny_model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(function(tiny_ids), tiny_model(tiny_ids))


def test_arguments_may_be_given_by_position_or_name(
    tiny_artifact: Path, tiny_model: Any, tiny_ids: Any
) -> None:
    function = fc.load(tiny_artifact, tiny_model)
    torch.testing.assert_close(function(tiny_ids), function(ids=tiny_ids), rtol=0, atol=0)


def test_steps_of_a_load_are_timed(tiny_artifact: Path, tiny_model: Any) -> None:
    steps = fc.load(tiny_artifact, tiny_model).timings
    assert {"read", "verify", "kernels", "parameters", "exec", "bind"} <= steps.keys()
    assert all(seconds >= 0 for seconds in steps.values())


def test_native_load_imports_no_compiler(tiny_artifact: Path, tmp_path: Path) -> None:
    result = run_child(tiny_artifact, "native", shipped=True)
    assert "error" not in result, result
    baseline = subprocess.run(
        [sys.executable, "-c", _LOADED_BY_TORCH],
        capture_output=True, text=True, check=True, env=child_environment(None),
    ).stdout  # fmt: skip
    assert str(result["modules"]) == baseline.strip()
    assert set(result["ways"]) == {"native"}


def test_torch_path_says_why_it_fails_without_a_compiler(tiny_artifact: Path) -> None:
    (record,) = measure_reloads(tiny_artifact, ("torch",), 1, shipped=True)
    assert "kernel_0" in record.error
    assert "Cxx" in record.error or "compiler" in record.error
    assert record.runs == 0


def test_kernels_are_mapped_once_and_each_is_its_own(tiny_artifact: Path, tiny_model: Any) -> None:
    """A reused path would silently map one library for all."""
    from ipy_fastcompile.runtime import kernels

    fc.load(tiny_artifact, tiny_model)
    count = len(kernels._LOADED)
    fc.load(tiny_artifact, tiny_model)
    assert len(kernels._LOADED) == count
    artifact = open_artifact(tiny_artifact)
    digests = {
        m.rpartition("/")[2]
        for k in artifact.manifest["programs"][0]["kernels"]
        for _, m in k["libraries"]
    }
    functions = {kernels._LOADED[d] for d in digests}
    assert len(functions) == len(digests)
    with Path("/proc/self/maps").open() as file:
        mapped = {
            line.split("/")[-1].split(".so")[0] for line in file if "ipy_fastcompile_" in line
        }
    assert digests <= mapped


# --- misfits -------------------------------------------------------------------------------------


def foreign(manifest: Any, members: Any) -> None:
    manifest["stamp"] |= {"torch": "1.0.0", "platform": "plan9-mips"}
    manifest["stamp"]["cpu_flags"] = ["avx2048"]


def test_a_misfit_names_all_differences(
    tiny_artifact: Path, tiny_model: Any, tmp_path: Path
) -> None:
    path = repack(tiny_artifact, tmp_path / "foreign.fastcompile", foreign)
    with pytest.raises(errors.ArtifactIncompatible) as caught:
        fc.load(path, tiny_model)
    for word in ("1.0.0", "plan9-mips", "avx2048"):
        assert word in str(caught.value)


def test_a_misfit_is_recompiled_when_asked(
    tiny_artifact: Path, tiny_model: Any, tiny_ids: Any, tmp_path: Path
) -> None:
    path = repack(tiny_artifact, tmp_path / "foreign.fastcompile", foreign)
    with pytest.warns(errors.FastCompileWarning, match="avx2048"):
        function = fc.load(path, tiny_model, on_mismatch="recompile")
    assert set(function.kernel_ways) == {"recompiled"}
    assert function.notes
    with torch.no_grad():
        torch.testing.assert_close(function(tiny_ids), tiny_model(tiny_ids))


def break_a_library(manifest: Any, members: Any) -> None:
    from ipy_fastcompile.artifact import blob_name

    _, member = manifest["programs"][0]["kernels"][0]["libraries"][0]
    broken = members[member][:200]
    del members[member]
    members[blob_name(broken)] = broken
    for kernel in manifest["programs"][0]["kernels"]:
        kernel["libraries"] = [
            [n, blob_name(broken) if m == member else m] for n, m in kernel["libraries"]
        ]


def test_a_library_that_does_not_load_is_named(
    tiny_artifact: Path, tiny_model: Any, tmp_path: Path
) -> None:
    path = repack(tiny_artifact, tmp_path / "broken.fastcompile", break_a_library)
    with pytest.raises(errors.KernelError, match="cannot be loaded"):
        fc.load(path, tiny_model)


def test_a_library_that_does_not_load_is_recompiled_when_asked(
    tiny_artifact: Path, tiny_model: Any, tiny_ids: Any, tmp_path: Path
) -> None:
    path = repack(tiny_artifact, tmp_path / "broken.fastcompile", break_a_library)
    with pytest.warns(errors.FastCompileWarning, match="recompiled"):
        function = fc.load(path, tiny_model, on_mismatch="recompile")
    # All of them: each relies on how the others lay out what they return.
    assert set(function.kernel_ways) == {"recompiled"}
    with torch.no_grad():
        torch.testing.assert_close(function(tiny_ids), tiny_model(tiny_ids))


def test_missing_ops_are_all_named_with_their_module(
    tiny_artifact: Path, tiny_model: Any, tmp_path: Path
) -> None:
    def need(manifest: Any, members: Any) -> None:
        manifest["programs"][0]["ops"] = {"nolib::one": "nolib.ops", "nolib::two.out": ""}

    path = repack(tiny_artifact, tmp_path / "ops.fastcompile", need)
    with pytest.raises(errors.OpMissing) as caught:
        fc.load(path, tiny_model)
    for word in ("nolib::one", "nolib.ops", "nolib::two"):
        assert word in str(caught.value)
    assert "nolib" not in sys.modules


def test_a_registered_op_is_recorded_with_its_module(tmp_path: Path) -> None:
    from tests.architectures.zoo import BUILDERS

    case = BUILDERS["custom_op"]()
    compiled = fc.compile(case.model, case.args)
    compiled.save(tmp_path / "op.fastcompile")
    ops = open_artifact(tmp_path / "op.fastcompile").manifest["programs"][0]["ops"]
    assert ops == {"fastcompile_tests::attn": "tests.architectures.zoo"}
    code = (
        "import sys, torch, ipy_fastcompile as fc\n"
        "try: fc.load(sys.argv[1], {})\n"
        "except fc.errors.OpMissing as error: print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "op.fastcompile")],
        capture_output=True, text=True, check=True, env=child_environment(None),
    ).stdout  # fmt: skip
    assert "fastcompile_tests::attn" in said
    assert "tests.architectures.zoo" in said


# --- what is passed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x.float(), ("ids", "int64", "float32")),
        (lambda x: x[0], ("ids", "rank")),
        (lambda x: x.repeat(2, 1), ("ids", "dimension 0", "2", "1")),
        (lambda x: x.tolist(), ("ids", "tensor", "list")),
    ],
)
def test_an_input_that_does_not_fit_is_named(
    change: Any, words: tuple[str, ...], tiny_compiled: Any, tiny_ids: Any
) -> None:
    with pytest.raises(errors.InputError) as caught:
        tiny_compiled(change(tiny_ids))
    for word in words:
        assert word in str(caught.value)


def test_missing_and_extra_arguments_are_named(tiny_compiled: Any, tiny_ids: Any) -> None:
    with pytest.raises(errors.InputError, match="ids is missing"):
        tiny_compiled()
    with pytest.raises(errors.InputError, match="mask"):
        tiny_compiled(tiny_ids, mask=None)
    with pytest.raises(errors.InputError):
        tiny_compiled(tiny_ids, tiny_ids)


def test_a_transposed_input_is_laid_out_again(tiny_compiled: Any, tiny_model: Any) -> None:
    ids = torch.arange(8).reshape(8, 1).repeat(1, 2).t()[:1]
    assert ids.stride() != (8, 1)
    with torch.no_grad():
        torch.testing.assert_close(tiny_compiled(ids), tiny_model(ids))


class Doubler(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


def test_gradients_are_refused_in_words() -> None:
    compiled = fc.compile(Doubler(), (torch.ones(3),))
    wants = torch.ones(3, requires_grad=True)
    with pytest.raises(errors.InputError, match="never records autograd"):
        compiled(wants)
    with torch.no_grad():
        assert not compiled(wants).requires_grad
    with pytest.raises(errors.InputError, match="inference"):
        compiled.function.requires_grad_()
    assert not compiled(torch.ones(3)).requires_grad


def test_a_parameter_that_does_not_fit_is_named(tiny_artifact: Path, tiny_model: Any) -> None:
    weights = dict(tiny_model.state_dict())
    name = next(n for n in weights if n.endswith("weight"))
    with pytest.raises(errors.ParameterError, match=name):
        fc.load(tiny_artifact, {**weights, name: weights[name].double()})
    del weights[name]
    with pytest.raises(errors.ParameterError, match=name):
        fc.load(tiny_artifact, weights)


def test_unknown_paths_and_policies_are_named(tiny_artifact: Path, tiny_model: Any) -> None:
    with pytest.raises(errors.FastCompileError, match="native, torch, fx"):
        fc.load(tiny_artifact, tiny_model, via="quantum")
    with pytest.raises(errors.FastCompileError, match="recompile"):
        fc.load(tiny_artifact, tiny_model, on_mismatch="ignore")


# --- fixed sizes ---------------------------------------------------------------------------------


class Rows(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x).softmax(0)


def test_kernels_for_fixed_sizes_serve_those_sizes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Rows().eval()
    compiled = fc.compile(
        model, (torch.randn(6, 4),), dynamic={"x": {0: ("rows", 2, 64)}}, sizes={"rows": [2, 16]}
    )
    compiled.save(tmp_path / "rows.fastcompile")
    function = fc.load(tmp_path / "rows.fastcompile", model)
    assert set(function.flat.follower().functions.by_size) == {(2,), (16,)}
    for rows in (2, 6, 16, 64):
        x = torch.randn(rows, 4)
        with torch.no_grad():
            torch.testing.assert_close(function(x), model(x))
    with pytest.raises(errors.InputError, match=r"x, dimension 0 \(rows\).*65.*\[2, 64\]"):
        function(torch.randn(65, 4))
    texts = [
        n for n in open_artifact(tmp_path / "rows.fastcompile").names if n.endswith("native.py")
    ]
    assert len(texts) == 3


def test_sizes_out_of_range_or_unknown_are_refused() -> None:
    example = (torch.randn(6, 4),)
    with pytest.raises(errors.InputError, match="outside its range"):
        fc.compile(Rows(), example, dynamic={"x": {0: ("rows", 2, 64)}}, sizes={"rows": [65]})
    with pytest.raises(errors.InputError, match="columns"):
        fc.compile(Rows(), example, dynamic={"x": {0: "rows"}}, sizes={"columns": [1]})


# --- small parts ---------------------------------------------------------------------------------


def test_needed_libraries_are_read_from_elf(tiny_artifact: Path) -> None:
    artifact = open_artifact(tiny_artifact)
    _, member = artifact.manifest["programs"][0]["kernels"][0]["libraries"][0]
    needed = needed_libraries(artifact.read(member))
    assert any(name.startswith("libc.") for name in needed)
    assert needed_libraries(b"not a library") == ()
    assert needed_libraries(artifact.read(member)[:80]) == ()


def test_a_manifest_without_its_parts_is_corrupt(
    tiny_artifact: Path, tiny_model: Any, tmp_path: Path
) -> None:
    fields = open_artifact(tiny_artifact).manifest["programs"][0]
    for field in fields:
        if field in ("python", "placeholders"):
            continue

        def drop(manifest: Any, members: Any, field: str = field) -> None:
            del manifest["programs"][0][field]

        path = repack(tiny_artifact, tmp_path / "dropped.fastcompile", drop)
        with pytest.raises(errors.ArtifactCorrupt, match=field):
            fc.load(path, tiny_model)


@pytest.mark.parametrize(
    ("way", "error"),
    [
        (("default_dtype",), errors.ArtifactIncompatible),
        (("parameters", 0, 2), errors.ArtifactIncompatible),
        (("parameters", 0, 5), errors.ArtifactIncompatible),
        (("kernels", 0, "name"), errors.KernelError),
        (("kernels", 0, "text"), errors.MemberCorrupt),
        (("kernels", 0, "libraries", 0, 1), errors.MemberCorrupt),
        (("signature", "out_tree"), errors.ArtifactCorrupt),
        (("written",), errors.ManifestCorrupt),
    ],
)
def test_a_name_that_stands_for_nothing_is_refused(
    tiny_artifact: Path, tiny_model: Any, tmp_path: Path, way: Any, error: Any
) -> None:
    def rename(manifest: Any, members: Any) -> None:
        inner = manifest["programs"][0]
        for step in way[:-1]:
            inner = inner[step]
        inner[way[-1]] = ["nothing"] if isinstance(inner[way[-1]], list) else "nothing"

    path = repack(tiny_artifact, tmp_path / "renamed.fastcompile", rename)
    with pytest.raises(error):
        fc.load(path, tiny_model)


def test_the_private_directory_is_gone_after_a_load(tiny_artifact: Path, tiny_model: Any) -> None:
    from ipy_fastcompile.runtime import kernels

    kernels._LOADED.clear()
    fc.load(tiny_artifact, tiny_model)
    for folder in (Path(kernels._MEMORY), Path(tempfile.gettempdir())):
        assert not list(folder.glob("ipy_fastcompile_*/*.so"))


def test_memory_file_system_that_forbids_execution_is_not_needed(
    tiny_artifact: Path,
    tiny_model: Any,
    tiny_ids: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from ipy_fastcompile.runtime import kernels

    monkeypatch.setattr(kernels, "_MEMORY", str(tmp_path / "nowhere"))
    kernels._LOADED.clear()
    function = fc.load(tiny_artifact, tiny_model)
    with torch.no_grad():
        torch.testing.assert_close(function(tiny_ids), tiny_model(tiny_ids))
