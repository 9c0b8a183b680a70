"""The check before an artifact is shipped: what passes, and what it says of what does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import ipy_fastcompile as fc
from ipy_fastcompile import __main__ as command_line
from ipy_fastcompile.artifact.squeeze import squeeze, unsqueeze
from ipy_fastcompile.errors import (
    ArtifactNotFound,
    ArtifactStale,
    ArtifactUntrusted,
    InputError,
    VerifyError,
)
from ipy_fastcompile.torch_compat import stored_graphs
from ipy_fastcompile.verification.report import VerifyReport
from ipy_fastcompile.verification.verify import verify
from tests.faults.loads import resave

slow = pytest.mark.slow


def rewrite_graph(name: str, old: Any, new: Any, *, program: int = 0) -> Callable[[Any, Any], None]:
    """Another op in a submodule of the FX graph: eager and kernel then disagree about it."""

    def change(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        entry = manifest["programs"][program]
        fx = entry["fx"]
        graph = stored_graphs.deserialize_graph(unsqueeze(members.pop(fx), fx))
        submodule = getattr(graph, name)
        nodes = [node for node in submodule.graph.nodes if node.target is old]
        assert nodes, [str(node.target) for node in submodule.graph.nodes]
        for node in nodes:
            node.target = new
            node.kwargs = {}
        submodule.recompile()
        data = squeeze(stored_graphs.serialize_graph(graph))
        from ipy_fastcompile.artifact import blob_name

        entry["fx"] = blob_name(data)
        members[blob_name(data)] = data

    return change


@pytest.fixture(scope="module")
def passed(tiny_artifact: Path) -> VerifyReport:
    return verify(tiny_artifact)


@slow
def test_a_good_artifact_passes_at_several_sizes(passed: VerifyReport) -> None:
    assert passed.passed
    assert [dict(size.sizes)["seq"] for size in passed.sizes] == [8, 0, 1, 17]
    assert passed.problems == ()
    assert passed.modules == ()
    assert set(passed.ways) == {"native"}
    assert 0 < passed.load < 5


@slow
def test_every_submodule_is_judged(passed: VerifyReport, tiny_compiled: Any) -> None:
    report = tiny_compiled.report
    for size in passed.sizes:
        assert [(sub.name, sub.kernel) for sub in size.submodules] == [
            (sub.name, sub.kernel) for sub in report.submodules
        ]
        assert all(sub.passed and 0 <= sub.max_error < 1e-5 for sub in size.submodules)
        if dict(size.sizes)["seq"] > 1:
            assert any(sub.max_error > 0 for sub in size.submodules), "nothing was computed"
        assert size.first_failure is None


@slow
def test_what_it_says(passed: VerifyReport, tiny_artifact: Path) -> None:
    text = str(passed)
    assert text.startswith(f"{tiny_artifact} · sha256:")
    assert "PATH empty, Inductor cache empty" in text
    assert "no compiler imported" in text
    assert "  pass seq=17: largest error " in text
    assert text.endswith("\npass")


@slow
def test_a_kernel_that_computes_something_else_is_named(
    tiny_artifact: Path, tmp_path: Path
) -> None:
    aten = torch.ops.aten
    path = resave(
        tiny_artifact,
        tmp_path / "other.fastcompile",
        rewrite_graph("submod_2", aten.gelu.default, aten.relu.default),
    )
    report = verify(path, sizes={"seq": [4]})
    (size,) = report.sizes
    assert not report.passed
    assert size.first_failure is not None
    assert size.first_failure.name == "submod_2"
    assert size.first_failure.max_error > 1e-3
    assert "output 0, float32[1, 4, 32]" in size.first_failure.where
    # What comes after it got what its kernel gave, and is right.
    assert [sub.name for sub in size.submodules if not sub.passed] == ["submod_2"]
    assert "the whole model differs from eager" in size.problems[0]
    assert "the first that diverges is submod_2" in str(report)
    assert str(report).endswith("\nFAIL")


@slow
def test_an_inlined_op_that_computes_something_else_is_named(
    tiny_artifact: Path, tmp_path: Path
) -> None:
    def change(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        text = members["execution.py"].decode()
        other, count = re.subn(r"(None,\s+0\.0,\s+)True", r"\1False", text)
        assert count
        members["execution.py"] = other.encode()

    report = verify(
        resave(tiny_artifact, tmp_path / "other.fastcompile", change), sizes={"seq": [4]}
    )
    (size,) = report.sizes
    assert [sub.name for sub in size.submodules if not sub.passed] == ["submod_1", "submod_3"]
    assert size.first_failure is not None
    assert size.first_failure.kernel is None
    assert "what submod_2 got from it" in size.first_failure.where


@slow
def test_a_kernel_that_is_not_native_fails(tiny_artifact: Path, tmp_path: Path) -> None:
    def change(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        manifest["programs"][0]["kernels"][0]["native"] = False
        manifest["programs"][0]["kernels"][0]["why"] = "of this test"

    report = verify(resave(tiny_artifact, tmp_path / "other.fastcompile", change))
    assert not report.passed
    assert "It does not load" in report.problems[0]


@slow
def test_a_broken_graph_is_no_obstacle_to_the_native_process(
    tiny_artifact: Path, tmp_path: Path
) -> None:
    def change(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        fx = manifest["programs"][0]["fx"]
        members[fx] = squeeze(b"no graph")
        from ipy_fastcompile.artifact import blob_name

        manifest["programs"][0]["fx"] = blob_name(members[fx])
        members[manifest["programs"][0]["fx"]] = members.pop(fx)

    report = verify(resave(tiny_artifact, tmp_path / "other.fastcompile", change))
    assert not report.passed
    assert set(report.ways) == {"native"}  # it loaded without reading the graph
    assert "The FX graph cannot be run" in report.problems[0]


@slow
def test_a_process_that_hangs_is_a_failure(tiny_artifact: Path) -> None:
    report = verify(tiny_artifact, timeout=0.01)
    assert report.problems == (
        "It does not load: the process was stopped after 0.01 s and said nothing",
    )


@slow
def test_writes_to_buffers_and_inputs_are_compared(tmp_path: Path) -> None:
    from tests.architectures.zoo import BUILDERS

    for name in ("buffer_mutation", "input_mutation"):
        case = BUILDERS[name]()
        path = tmp_path / f"{name}.fastcompile"
        fc.compile(case.model, case.args, case.kwargs).save(path)
        assert verify(path).passed

    def change(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        rewrite_graph("submod_0", torch.ops.aten.mul_.Tensor, torch.ops.aten.add_.Tensor)(
            manifest, members
        )

    report = verify(resave(path, tmp_path / "other.fastcompile", change))
    (sub,) = report.sizes[0].submodules
    assert not sub.passed


# --- sizes ---------------------------------------------------------------------------------------


@slow
@pytest.mark.parametrize(
    ("sizes", "said"),
    [({"batch": [2]}, "'batch' is no size"), ({"seq": [-1]}, "seq=-1 is outside of 0 <= seq")],
)
def test_sizes_that_it_does_not_have(
    tiny_artifact: Path, sizes: dict[str, list[int]], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        verify(tiny_artifact, sizes=sizes)


# --- saved outputs -------------------------------------------------------------------------------


@slow
def test_saved_outputs_are_compared(tiny_artifact: Path, tmp_path: Path) -> None:
    reference = tmp_path / "reference.safetensors"
    assert verify(tiny_artifact, sizes={"seq": [3]}, write_reference=reference).passed
    again = verify(tiny_artifact, sizes={"seq": [3]}, reference=reference)
    assert again.passed
    assert again.sizes[0].reference_error is not None
    assert again.sizes[0].reference_error < 1e-5

    tensors = load_file(reference)
    name = min(tensors)
    assert name == "seq=3: output 0"
    tensors[name] = tensors[name] + 1
    from safetensors import safe_open

    with safe_open(reference, framework="pt") as opened:
        metadata = opened.metadata()
    save_file(tensors, reference, metadata)
    other = verify(tiny_artifact, sizes={"seq": [3, 4]}, reference=reference)
    assert not other.passed
    assert f"{name} differs from the reference by 1.0e+00" in other.sizes[0].problems[0]
    assert other.sizes[1].problems[0] == "the reference has no seq=4: output 0"

    save_file(tensors, reference, {"specification": "of another one"})
    with pytest.raises(ArtifactStale, match="other parameters or inputs"):
        verify(tiny_artifact, reference=reference)
    (tmp_path / "text").write_text("no tensors")
    for wrong in (tmp_path / "text", tmp_path / "absent"):
        with pytest.raises(VerifyError, match="no reference outputs"):
            verify(tiny_artifact, reference=wrong)


# --- what it refuses, and the command line -------------------------------------------------------


@slow
def test_a_strangers_artifact_is_not_run(tiny_artifact: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactNotFound):
        verify(tmp_path / "absent")
    from tests.faults.parts import rehash, repack, unpack

    path = tmp_path / "stranger.fastcompile"
    repack(path, rehash(unpack(tiny_artifact)))
    with pytest.raises(ArtifactUntrusted) as caught:
        verify(path)
    assert verify(path, trust=caught.value.digest, sizes={"seq": [4]}).passed


@slow
def test_the_command(
    tiny_artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main(["verify", str(tiny_artifact), "--sizes", "seq=5"]) == 0
    out = capsys.readouterr().out
    assert "pass seq=5" in out
    assert out.endswith("pass\n")
    aten = torch.ops.aten
    other = resave(
        tiny_artifact,
        tmp_path / "other.fastcompile",
        rewrite_graph("submod_4", aten.tanh.default, aten.sigmoid.default),
    )
    assert command_line.main(["verify", str(other), "--sizes", "seq=5"]) == 1
    assert "the first that diverges is submod_4" in capsys.readouterr().out
    assert command_line.main(["verify", str(tmp_path / "absent")]) == 2


def test_what_rounds_to_few_bits_inside_is_judged_as_a_check_judges_it(tmp_path: Path) -> None:
    def narrow(x: torch.Tensor) -> torch.Tensor:
        t = (x.to(torch.bfloat16) * 2).t().contiguous()
        return t.float().sum(0) + 1  # Inductor leaves out the rounding in between

    x = torch.linspace(-1, 1, 40 * 72).reshape(40, 72)
    path = tmp_path / "narrow.fastcompile"
    fc.compile(narrow, (x,), check=True).save(path)
    assert verify(path).passed
