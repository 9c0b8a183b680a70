"""The check of an artifact with several programs: each is checked, and named where it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.errors import ArtifactStale, InputError
from ipy_fastcompile.verification.report import VerifyReport
from ipy_fastcompile.verification.verify import verify
from tests.faults.loads import resave
from tests.unit.engine.test_programs import Call
from tests.unit.verification.test_verify import rewrite_graph

slow = pytest.mark.slow


class Steps(nn.Module):
    """A prefill, and a step that reads and writes a state."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Linear(8, 8)
        self.out = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor, state: torch.Tensor | None = None) -> torch.Tensor:
        hidden = torch.nn.functional.gelu(self.into(x))
        if state is not None:
            state.add_(hidden.sum(1, keepdim=True))
            hidden = hidden * state
        hidden = nn.functional.scaled_dot_product_attention(hidden, hidden, hidden)
        return torch.nn.functional.silu(self.out(hidden))


CALLS = [
    Call("prefill", (torch.ones(1, 6, 8),), {}, {"x": {1: ("seq", 2, 64)}}),
    Call("step", (torch.ones(1, 1, 8),), {"state": torch.ones(1, 1, 8)}),
]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("steps") / "steps.fastcompile"
    fc.compile(Steps().eval(), calls=CALLS).save(path)
    return path


@pytest.fixture(scope="module")
def passed(artifact: Path) -> VerifyReport:
    return verify(artifact, sizes={"seq": [3, 9]})


@slow
def test_every_program_is_checked_at_its_own_sizes(passed: VerifyReport) -> None:
    assert passed.passed, str(passed)
    assert [(call.program, call.sizes) for call in passed.sizes] == [
        ("prefill", (("seq", 3),)),
        ("prefill", (("seq", 9),)),
        ("step", ()),
    ]
    assert all(call.submodules for call in passed.sizes)
    text = str(passed)
    assert "  pass prefill at seq=9: largest error " in text
    assert "  pass step at the example's sizes: largest error " in text


@slow
def test_the_verdict_names_program_and_submodule(artifact: Path, tmp_path: Path) -> None:
    silu, relu = torch.ops.aten.silu.default, torch.ops.aten.relu.default
    path = resave(artifact, tmp_path / "other", rewrite_graph("submod_2", silu, relu, program=1))
    report = verify(path, sizes={"seq": [3]})
    assert [call.program for call in report.sizes if not call.passed] == ["step"]
    assert "the first that diverges is submod_2 of step" in str(report)
    assert str(report).endswith("\nFAIL")


@slow
def test_a_reference_is_of_all_programs(artifact: Path, tmp_path: Path) -> None:
    reference = tmp_path / "reference.safetensors"
    sizes = {"seq": [3]}
    assert verify(artifact, sizes=sizes, write_reference=reference).passed
    again = verify(artifact, sizes=sizes, reference=reference)
    assert [call.reference_error for call in again.sizes] == [
        pytest.approx(0, abs=1e-4) for _ in CALLS
    ]

    def leave_out(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        manifest["programs"] = [{**manifest["programs"][0], "name": ""}]

    alone = resave(artifact, tmp_path / "alone", leave_out)
    with pytest.raises(ArtifactStale):
        verify(alone, sizes=sizes, reference=reference)


@slow
def test_a_size_of_no_program_is_refused(artifact: Path) -> None:
    with pytest.raises(InputError, match="'rows' is no size of this artifact"):
        verify(artifact, sizes={"rows": [3]})
