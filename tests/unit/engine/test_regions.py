"""What a model runs under autocast, vmap, or in a branch or loop is compiled, and right."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.utils.checkpoint import checkpoint

import ipy_fastcompile as fc
from ipy_fastcompile.engine.calls.capture import capture


class Two(nn.Module):
    """A model with two layers and a forward of its own."""

    def __init__(self, run: Callable[..., Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.run = nn.Linear(6, 6), nn.Linear(6, 6), run

    def forward(self, x: torch.Tensor) -> Any:
        return self.run(self, x)


def bfloat16(enabled: bool = True) -> Any:
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled)


def around_everything(m: Two, x: torch.Tensor) -> Any:
    with bfloat16():
        return m.second(torch.relu(m.first(x)))


def in_part(m: Two, x: torch.Tensor) -> Any:
    y = m.first(x)
    with bfloat16():
        y = m.second(y) * 2
    return m.first(y.float())


def disabled_inside(m: Two, x: torch.Tensor) -> Any:
    with bfloat16():
        y = m.first(x)
        with bfloat16(enabled=False):
            z = m.second(y.float())
        return y, z, torch.cat([y, x]).softmax(-1), torch.einsum("ij,kj->ik", x, x)


def around_no_grad(m: Two, x: torch.Tensor) -> Any:
    with torch.enable_grad(), bfloat16(), torch.no_grad():
        return m.first(x) + m.second(x)


def around_a_branch(m: Two, x: torch.Tensor) -> Any:
    with bfloat16():
        return torch.cond(x.sum() > 0, m.first, lambda x: m.second(x) * 2, (x,)) + 1


def in_a_branch(m: Two, x: torch.Tensor) -> Any:
    def lower(x: torch.Tensor) -> torch.Tensor:
        with bfloat16():
            return m.first(x).float()

    return torch.cond(x.sum() > 0, lower, lambda x: m.second(x) * 2, (x,)) + 1


def branch_on_a_size(m: Two, x: torch.Tensor) -> Any:
    return torch.cond(x.shape[0] > 5, m.first, m.second, (x,))


def loop(m: Two, x: torch.Tensor) -> Any:
    from torch._higher_order_ops import while_loop  # not public under any other name

    def go_on(i: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return (i < 3) & (x.abs().sum() > 0.1)

    return m.first(while_loop(go_on, lambda i, x: (i + 1, torch.tanh(x)), (torch.tensor(0), x))[1])


def running_sums(m: Two, x: torch.Tensor) -> Any:
    from torch._higher_order_ops import scan  # not public under any other name

    return m.first(scan(lambda c, row: (c + row, c * 2), torch.zeros(6), x)[1])


def mapped(m: Two, x: torch.Tensor) -> Any:
    rows = torch.vmap(lambda row: torch.tanh(row) * row.sum())(x)
    outer = torch.vmap(torch.vmap(lambda a, b: a * b, in_dims=(0, None)))(x, x[:, 0])
    return torch.vmap(m.first)(rows), outer


def forward_derivative(m: Two, x: torch.Tensor) -> Any:
    return torch.func.jvp(lambda y: y**2, (x,), (m.first(x).detach(),))[1]


def checkpointed(m: Two, x: torch.Tensor) -> Any:
    return checkpoint(m.first, x, use_reentrant=False) + checkpoint(m.second, x, use_reentrant=True)


def without_gradients(m: Two, x: torch.Tensor) -> Any:
    with torch.no_grad():
        y = m.first(x)
    with torch.inference_mode():
        return y + m.second(x)


TOGETHER = {
    "regions": (around_everything, in_part, disabled_inside, around_no_grad, mapped,
                without_gradients, checkpointed),
    "branches": (around_a_branch, in_a_branch, branch_on_a_size, loop),
    # `scan` goes over as many rows as the example has; `torch.func` fixes sizes, too.
    "of one size": (running_sums, forward_derivative),
}  # fmt: skip


@pytest.mark.parametrize("kind", TOGETHER)
def test_all_of_a_model_with_regions_is_native_and_right(kind: str) -> None:
    runs = TOGETHER[kind]
    model = Two(lambda m, x: tuple(run(m, x) for run in runs)).eval()
    varies = kind != "of one size"
    with torch.no_grad():
        dynamic = {"x": {0: "rows"}} if varies else None
        compiled = fc.compile(model, (torch.randn(4, 6),), dynamic=dynamic)
        assert compiled.report.alarms == ()
        assert all(kernel.native for kernel in compiled.report.kernels)
        assert not any(sub.inlined for sub in compiled.report.submodules)
        for sign, rows in ((1, 4), (-1, 7 if varies else 4)):
            x = sign * torch.rand(rows, 6)
            for run, found, expected in zip(runs, compiled(x), model(x), strict=True):
                # Within a region Inductor keeps float32 where eager rounds to bfloat16 in between.
                torch.testing.assert_close(
                    found, expected, atol=2e-2, rtol=2e-2, msg=lambda m, r=run: f"{r}: {m}"
                )


def test_attention_under_autocast_is_a_splitting_op_in_the_lower_precision() -> None:
    def run(m: Two, x: torch.Tensor) -> Any:
        with bfloat16():
            q = m.first(x)
            return m.second(functional.scaled_dot_product_attention(q, q, x))

    model, x = Two(run).eval(), torch.randn(1, 2, 4, 6)
    with torch.no_grad():
        compiled = fc.compile(model, (x,))
        kinds = [(s.inlined, s.outputs[0].dtype) for s in compiled.report.submodules]
        torch.testing.assert_close(compiled(2 * x), model(2 * x), atol=5e-2, rtol=5e-2)
    assert kinds == [(False, "bfloat16"), (True, "bfloat16"), (False, "bfloat16")]


def test_what_runs_under_autocast_keeps_its_line_and_its_module() -> None:
    with torch.no_grad():
        graph = capture(Two(in_part).eval(), (torch.randn(4, 6),)).graph_module.graph
    cast = next(n for n in graph.nodes if "_to_copy" in str(n.target))
    assert "test_regions.py" in cast.meta["stack_trace"]
    assert "second" in str(cast.meta["nn_module_stack"])


def test_a_gradient_of_which_export_holds_the_examples_values_is_captured_by_way_of_dynamo() -> (
    None
):
    def run(m: Two, x: torch.Tensor) -> Any:
        return torch.func.grad(lambda y: (y**2).sum())(x) + m.first(x)

    model, x = Two(run).eval(), torch.randn(4, 6)
    with torch.no_grad():
        captured = capture(model, (torch.randn(4, 6),))
        assert re.search(r"differentiates at test_regions\.py.* Dynamo", captured.notes[-1])
        held = dict(model.named_parameters())
        (found,) = captured.graph_module(*(held[p.name] for p in captured.parameters), x)
        torch.testing.assert_close(found, 2 * x + model.first(x))


# --- flex_attention ------------------------------------------------------------------------------

BIAS = torch.tensor([0.05, -0.05])


def causal(b: Any, h: Any, i: Any, j: Any) -> Any:
    return i >= j


def several(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> Any:
    mask = create_block_mask(causal, 1, 1, 64, 64, device="cpu")
    return (
        flex_attention(q, k, v),
        flex_attention(q, k, v, score_mod=lambda s, b, h, i, j: s + (i - j) * BIAS[h]),
        flex_attention(q, k, v, block_mask=mask),
    )


def with_sums(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> Any:
    return flex_attention(q, k, v, return_lse=True)  # which Inductor refuses on a CPU


@pytest.mark.parametrize("run", [several, with_sums])
def test_flex_attention_is_native_and_right(run: Any) -> None:
    example, other = (tuple(torch.randn(1, 2, 64, 16) for _ in range(3)) for _ in range(2))
    with torch.no_grad():
        compiled = fc.compile(run, example)
        assert compiled.report.alarms == ()
        torch.testing.assert_close(compiled(*other), run(*other), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_flex_attention_of_transformers_is_native_at_every_length() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 4}
    config = LlamaConfig(
        **sizes,
        num_key_value_heads=2,
        num_hidden_layers=1,
        vocab_size=64,
        use_cache=False,
        attn_implementation="flex_attention",
    )
    model, ids = LlamaForCausalLM(config).eval(), torch.randint(0, 64, (1, 100))
    with torch.no_grad():
        dynamic = {"input_ids": {1: "seq"}}
        example = {"input_ids": torch.randint(0, 64, (1, 40))}
        compiled = fc.compile(model, (), example, dynamic=dynamic)
        assert compiled.report.alarms == ()
        assert all(kernel.native for kernel in compiled.report.kernels)
        for length in (7, 100):
            found = compiled(input_ids=ids[:, :length]).logits
            torch.testing.assert_close(found, model(ids[:, :length]).logits, atol=1e-4, rtol=1e-4)
