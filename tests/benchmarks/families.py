"""A family and its sizes -> a model with random weights, and an example call of it.

The five families are those of vllm-project/vllm#40151, at their real depth and at toy width, made
from `transformers` configurations: nothing is downloaded. The size of a graph depends on depth, so
that reload times compare in kind with the published ones; the time of a call does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

VOCABULARY = 256
# The example call's tokens, and how far the sequence may grow.
TOKENS, MOST_TOKENS = 32, 512


@dataclass(frozen=True)
class Published:
    """A row of vLLM #40151: seconds of a warm compile before and after, None where it is cut."""

    model: str
    before: float
    after: float | None

    @property
    def reduction(self) -> float | None:
        """How much less, in percent, as published."""
        return None if self.after is None else 100 * (1 - self.after / self.before)


@dataclass(frozen=True)
class Family:
    """A model family: its depth, what was published of it, and how to build it.

    ``config`` takes the number of layers and the hidden size; it returns the configuration and
    the model's class.
    """

    layers: int
    published: Published
    config: Callable[[int, int], tuple[Any, Any]]


@dataclass(frozen=True)
class Spec:
    """What to build. ``dtype`` and ``device`` are torch's names."""

    family: str = "llama"
    layers: int = 80
    hidden: int = 64
    tokens: int = TOKENS
    device: str = "cpu"
    dtype: str = "float32"

    @property
    def name(self) -> str:
        """``llama-80x64``, and what is unusual; fit for a file name."""
        parts = [f"{self.family}-{self.layers}x{self.hidden}"]
        parts += [f"{self.tokens}tokens"] if self.tokens != TOKENS else []
        parts += [x for x in (self.device, self.dtype) if x not in ("cpu", "float32")]
        return "-".join(parts).replace(":", "")

    def to_data(self) -> dict[str, Any]:
        """The fields, for a request to another process."""
        return asdict(self)


@dataclass(frozen=True)
class Case:
    """A model, its example call, a call of another length, and which dimensions may vary."""

    model: Any
    kwargs: dict[str, Any]
    other: dict[str, Any]
    dynamic: dict[str, Any]


def _llama(layers: int, hidden: int) -> tuple[Any, Any]:
    from transformers import LlamaConfig, LlamaForCausalLM

    heads = max(4, hidden // 128)
    return (
        LlamaConfig(
            num_hidden_layers=layers, hidden_size=hidden, intermediate_size=7 * hidden // 2,
            num_attention_heads=heads, num_key_value_heads=max(2, heads // 4),
            vocab_size=VOCABULARY, max_position_embeddings=MOST_TOKENS,
        ),
        LlamaForCausalLM,
    )  # fmt: skip


def _deepseek_v3(layers: int, hidden: int) -> tuple[Any, Any]:
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

    return (
        DeepseekV3Config(
            num_hidden_layers=layers, hidden_size=hidden, intermediate_size=2 * hidden,
            moe_intermediate_size=hidden // 2, num_attention_heads=4, num_key_value_heads=4,
            n_routed_experts=8, n_group=2, topk_group=1, num_experts_per_tok=2,
            first_k_dense_replace=min(3, layers - 1), kv_lora_rank=32, q_lora_rank=32,
            qk_rope_head_dim=8, qk_nope_head_dim=16, v_head_dim=16,
            vocab_size=VOCABULARY, max_position_embeddings=MOST_TOKENS,
        ),
        DeepseekV3ForCausalLM,
    )  # fmt: skip


def _glm4_moe(layers: int, hidden: int) -> tuple[Any, Any]:
    from transformers import Glm4MoeConfig, Glm4MoeForCausalLM

    return (
        Glm4MoeConfig(
            num_hidden_layers=layers, hidden_size=hidden, intermediate_size=2 * hidden,
            moe_intermediate_size=hidden // 2, num_attention_heads=4, num_key_value_heads=2,
            use_qk_norm=True, attention_bias=True, n_routed_experts=8, num_experts_per_tok=2,
            first_k_dense_replace=min(3, layers - 1),
            vocab_size=VOCABULARY, max_position_embeddings=MOST_TOKENS,
        ),
        Glm4MoeForCausalLM,
    )  # fmt: skip


def _gpt_oss(layers: int, hidden: int) -> tuple[Any, Any]:
    from transformers import GptOssConfig, GptOssForCausalLM

    return (
        GptOssConfig(
            num_hidden_layers=layers, hidden_size=hidden, intermediate_size=hidden,
            num_attention_heads=4, num_key_value_heads=2, head_dim=16, num_local_experts=8,
            num_experts_per_tok=2, sliding_window=16, vocab_size=VOCABULARY,
            max_position_embeddings=MOST_TOKENS,
        ),
        GptOssForCausalLM,
    )  # fmt: skip


def _qwen3_5_moe(layers: int, hidden: int) -> tuple[Any, Any]:
    from transformers import Qwen3_5MoeForCausalLM, Qwen3_5MoeTextConfig

    from tests.benchmarks.ops import use_op

    use_op()
    return (
        Qwen3_5MoeTextConfig(
            num_hidden_layers=layers, hidden_size=hidden, num_attention_heads=4,
            num_key_value_heads=2, head_dim=16, linear_key_head_dim=16, linear_value_head_dim=16,
            linear_num_key_heads=2, linear_num_value_heads=4, moe_intermediate_size=hidden // 2,
            shared_expert_intermediate_size=hidden // 2, num_experts=8, num_experts_per_tok=2,
            layer_types=["linear_attention" if (n + 1) % min(4, layers) else "full_attention"
                         for n in range(layers)],
            vocab_size=VOCABULARY, max_position_embeddings=MOST_TOKENS,
        ),
        Qwen3_5MoeForCausalLM,
    )  # fmt: skip


FAMILIES = {
    "deepseek_v3": Family(61, Published("DeepSeek-V3.2", 6.05, 0.27), _deepseek_v3),
    "glm4_moe": Family(92, Published("GLM-4.7-FP8", 7.07, 0.46), _glm4_moe),
    "gpt_oss": Family(36, Published("gpt-oss-120b", 1.57, 0.19), _gpt_oss),
    "llama": Family(80, Published("Llama-3.3-70B", 3.95, 0.20), _llama),
    "qwen3_5_moe": Family(40, Published("Qwen3.5-35B-A3B", 2.91, None), _qwen3_5_moe),
}


def build(spec: Spec) -> Case:
    """The model of a specification, in evaluation mode, and its example call.

    Weights are random with a fixed seed: every process that builds a specification has the same.

    Raises ImportError when `transformers` is not installed, or too old for the family.
    """
    import torch

    family = FAMILIES[spec.family]
    torch.manual_seed(0)
    config, kind = family.config(spec.layers, spec.hidden)
    model = kind(config).eval().to(device=spec.device, dtype=getattr(torch, spec.dtype))
    model.requires_grad_(False)

    def call(tokens: int) -> dict[str, Any]:
        ids = torch.arange(tokens, device=spec.device).reshape(1, tokens) * 7 % VOCABULARY
        return {"input_ids": ids}

    dynamic = {"input_ids": {1: ("seq", 2, MOST_TOKENS)}}
    return Case(model, call(spec.tokens), call(spec.tokens // 2 + 3), dynamic)
