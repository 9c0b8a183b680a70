"""What is alive at every line, and the predicted peak against the measured one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.engine.code.liveness import line_liveness
from ipy_fastcompile.engine.code.memory import CallMemory, _measure, _without_kernels
from ipy_fastcompile.engine.graph.boundaries import SplitReason
from ipy_fastcompile.engine.kernels.native import Built, NativeKernel
from tests.unit.engine.test_codegen import everything, stitched


def alive(code: Any, **sizes: int) -> dict[str, tuple[int, str, int, int]]:
    """Text of a line -> bytes alive, the same as an expression, bytes freed, peak."""
    lowered = code.lowered
    names = lowered.split.captured.names

    def size_text(size: Any) -> str:
        expression = size.node.expr if isinstance(size, torch.SymInt) else size
        text = str(expression)
        for symbol, name in names.items():
            text = text.replace(str(symbol), name)
        return text

    found = line_liveness(lowered, code.code, sizes, size_text)
    texts = [t.strip().partition("  #")[0] for t in code.code.text.splitlines()]
    return {
        text: (s.live_bytes, s.live, s.freed_bytes, s.peak_bytes)
        for text, line, s in zip(texts, code.code.lines, found.lines, strict=True)
        if line.kind in ("call", "del", "return")
    }


class Chain(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = x.sin()
        b = torch.cat([a, a])
        return b.cos()


def test_lines_have_bytes_as_numbers_and_as_expressions() -> None:
    code = stitched(Chain(), torch.ones(8, 4), dynamic={"x": {0: "rows"}})
    lines = alive(code, rows=8)
    assert lines["(sin,) = inlined_0(x)"] == (128, "16*rows", 0, 128)
    assert lines["(cat,) = inlined_1(sin)"] == (384, "48*rows", 0, 384)
    assert lines["del sin"] == (256, "32*rows", 128, 384)
    assert lines["(cos,) = inlined_2(cat)"] == (512, "64*rows", 0, 512)
    assert lines["del cat"] == (256, "32*rows", 256, 512)
    assert alive(code, rows=100)["(cat,) = inlined_1(sin)"] == (4800, "48*rows", 0, 4800)


class Parts(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        return [part.sin() for part in x.repeat(20, 1).chunk(20)]


def test_every_line_of_a_statement_says_what_is_alive_while_it_runs() -> None:
    code = stitched(Parts(), torch.ones(4, 4))
    found = line_liveness(code.lowered, code.code, {}, str)
    lines = list(zip(code.code.lines, found.lines, strict=True))
    rest = [
        (before, state) for (_, before), (line, state) in pairwise(lines) if line.kind == "rest"
    ]
    assert len(rest) > 20
    for before, state in rest:
        assert (state.live_bytes, state.peak_bytes) == (before.live_bytes, before.peak_bytes)
        assert state.freed_bytes == 0
    assert found.peak == max(state.peak_bytes for line, state in lines if line.kind == "call")


class Views(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        a = (x + 1).view(-1)
        first, second = a.split(8)
        return x.view(-1), first * 2, second


def test_values_that_share_storage_count_once_and_inputs_do_not_count() -> None:
    code = stitched(Views(), torch.ones(4, 4))
    lines = alive(code)
    total = 64
    assert lines["(add,) = inlined_0(x)"][0] == total
    assert lines["(view,) = inlined_1(add)"][0] == total
    assert lines["del add"][:3] == (total, str(total), 0)
    split = next(v for text, v in lines.items() if text.startswith("getitem"))
    assert split[0] == total
    view_of_input = next(v for text, v in lines.items() if text.startswith("(view_1,)"))
    assert view_of_input[0] == total


class Wide(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(8, 512), nn.Linear(512, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(self.up(x).relu())


def test_what_a_graph_holds_for_itself_is_in_its_peak() -> None:
    split_at = lambda node: SplitReason("test") if "linear" in node.name else None  # noqa: E731
    report = fc.compile(Wide(), (torch.ones(16, 8),), split_at=split_at).report
    peak = next(line for line in report.lines if line.is_peak)
    assert peak.peak_bytes == report.predicted_peak
    assert report.predicted_peak >= 2 * 16 * 512 * 4
    assert sum(line.is_peak for line in report.lines) == 1


@pytest.mark.slow
@pytest.mark.parametrize("length", [2, 8, 100, 300, 1000])
def test_the_predicted_peak_is_the_measured_one(tiny_compiled: Any, length: int) -> None:
    ids = torch.arange(length).reshape(1, length) % 16
    profile = tiny_compiled.profile(ids, runs=1).profile
    assert profile.measured_peak == pytest.approx(profile.predicted_peak, rel=0.1)


@pytest.mark.slow
def test_the_peak_of_the_sixteen_layer_llama_is_predicted_within_a_tenth() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        num_hidden_layers=16, hidden_size=64, intermediate_size=256, num_attention_heads=4,
        num_key_value_heads=4, vocab_size=256, max_position_embeddings=512,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    ids = torch.arange(32).reshape(1, 32)
    compiled = fc.compile(model, (ids,), dynamic={"input_ids": {1: ("seq", 2, 512)}})
    assert compiled.report.predicted_peak
    report = compiled.profile(runs=1)
    assert report.measured_peak == pytest.approx(report.predicted_peak, rel=0.1)
    assert not any("predicted peak" in note for note in report.notes)
    for length in (100, 400):
        profile = compiled.profile(torch.arange(length).reshape(1, length) % 256, runs=1).profile
        assert profile.measured_peak == pytest.approx(profile.predicted_peak, rel=0.1)


@torch.library.custom_op("fastcompile_memory::opaque", mutates_args=())
def opaque(x: torch.Tensor) -> torch.Tensor:
    """An op of a library."""
    return x + 1


@opaque.register_fake
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


def test_a_call_that_cannot_run_without_data_is_known_by_its_values_and_said_so() -> None:
    class Calls(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ops.fastcompile_memory.opaque(x)

    code = stitched(Calls(), torch.ones(4), split_at=everything)

    def refuse(*_: Any) -> Any:
        raise RuntimeError("needs the data")

    code.lowered.split.submodules[0].graph_module.forward = refuse
    found = line_liveness(code.lowered, code.code, {}, str)
    assert found.unknown == ("submod_0: RuntimeError: needs the data",)
    assert found.peak == 16


KERNEL = """def kernel_0(arg0_1, arg1_1):
    s0 = arg1_1
    with device_guard(0):
        stream0 = get_raw_stream(0)
        buf0 = empty_strided_cpu((s0, 100), (100, 1), torch.float32)
        triton_poi_fused_0(arg0_1, buf0, s0, stream=stream0)
        buf1 = empty_strided_cpu((s0, 10), (10, 1), torch.float64)
        triton_poi_fused_0(buf0, buf1, s0, stream=stream0)
        del buf0
        buf2 = reinterpret_tensor(buf1, (s0, 5), (10, 1), 5)
    return (buf1, buf2, arg0_1, s0)
"""


def test_a_kernels_buffers_count_while_they_are_alive() -> None:
    native = NativeKernel("kernel_0", KERNEL, (Built("triton_poi_fused_0", b"", b""),), (), ())
    found = _measure(_without_kernels(native), [torch.ones(3), 7], {})
    assert found == CallMemory(
        peak=7 * 100 * 4 + 7 * 10 * 8, outputs=(0, 0, -1, None), storages=(7 * 10 * 8,)
    )
