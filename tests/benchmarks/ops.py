"""The chunked linear attention of Qwen3.5 -> one op, as vLLM has it.

`transformers` writes it as a loop over the 64 tokens of a chunk: a thousand nodes a layer, and a
number of chunks that `torch.export` fixes. In vLLM it is a custom op and a splitting op; with this
op the graph is of that kind, and the sequence stays open. A process that reloads such a model
imports this module, as it would import vLLM.
"""

from __future__ import annotations

import torch
from transformers.models.qwen3_5_moe import modeling_qwen3_5_moe as modeling

_reference = modeling.torch_chunk_gated_delta_rule


@torch.library.custom_op("ipy_fastcompile_bench::gated_delta_attention", mutates_args=())
def gated_delta_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    g: torch.Tensor,
    beta: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gated delta rule over a whole sequence, from an empty state, and the state after it.

    ``query`` and ``key`` have shape [batch, tokens, key heads, key width], ``value`` and the result
    [batch, tokens, value heads, value width], ``g`` and ``beta`` [batch, tokens, value heads]. The
    state is float32[batch, value heads, key width, value width].
    """
    mixed, state = _reference(
        query, key, value, g=g, beta=beta, output_final_state=True, use_qk_l2norm_in_kernel=True
    )
    return mixed.contiguous(), state.contiguous()


@gated_delta_attention.register_fake
def _(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    g: torch.Tensor,
    beta: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    del g, beta
    batch, _, heads, width = value.shape
    state = value.new_empty((batch, heads, key.shape[-1], width), dtype=torch.float32)
    return value.new_empty(value.shape, dtype=query.dtype), state


def use_op() -> None:
    """Make the models of this process call the op."""

    def attend(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        *,
        g: torch.Tensor,
        beta: torch.Tensor,
        initial_state: torch.Tensor | None,
        output_final_state: bool,
        **options: object,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        del options
        assert initial_state is None, "the op begins a sequence"
        mixed, state = gated_delta_attention(query, key, value, g, beta)
        return mixed, state if output_final_state else None

    modeling.torch_chunk_gated_delta_rule = attend
