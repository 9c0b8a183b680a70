"""Real architectures at toy size, from transformers configs with random weights, and plain modules.

Each builder returns a `Case`: the graph is the real one, the weights are random.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Case:
    """A model, an example call, and further calls that the same artifact must serve."""

    model: Any
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    dynamic: dict[str, Any] | None = None
    more: tuple[tuple[tuple[Any, ...], dict[str, Any]], ...] = ()
    split_at: Any = None
    tolerance: float = 1e-4


BUILDERS: dict[str, Callable[[], Case]] = {}


def case(function: Callable[[], Case]) -> Callable[[], Case]:
    """Register a builder under its name."""
    BUILDERS[function.__name__] = function
    return function


def ids(batch: int, length: int, vocabulary: int = 64, seed: int = 0) -> torch.Tensor:
    """Token ids, int64[batch, length]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, vocabulary, (batch, length), generator=generator)


def _decoder(config: Any, cls: Any, **overrides: Any) -> Case:
    torch.manual_seed(0)
    model = cls(config).eval()
    return Case(
        model,
        kwargs={"input_ids": ids(1, 12)},
        dynamic={"input_ids": {1: ("seq", 2, 64)}},
        more=tuple(((), {"input_ids": ids(1, n, seed=n)}) for n in (2, 31)),
        **overrides,
    )


@case
def llama() -> Case:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=64,
    )  # fmt: skip
    return _decoder(config, LlamaForCausalLM)


@case
def gpt2() -> Case:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=64, n_positions=64)
    return _decoder(config, GPT2LMHeadModel)


@case
def mixtral() -> Case:
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=64, num_local_experts=4,
    )  # fmt: skip
    return _decoder(config, MixtralForCausalLM)


@case
def deepseek_v3() -> Case:
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

    config = DeepseekV3Config(
        hidden_size=32, intermediate_size=64, moe_intermediate_size=16, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=4, n_routed_experts=8, n_group=2, topk_group=1,
        num_experts_per_tok=2, first_k_dense_replace=1, kv_lora_rank=16, q_lora_rank=16,
        qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8, vocab_size=64,
    )  # fmt: skip
    return _decoder(config, DeepseekV3ForCausalLM)


@case
def gpt_oss() -> Case:
    from transformers import GptOssConfig, GptOssForCausalLM

    config = GptOssConfig(
        hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, vocab_size=64, num_local_experts=4,
        num_experts_per_tok=2,
    )  # fmt: skip
    return _decoder(config, GptOssForCausalLM)


@case
def phi3() -> Case:
    """Its attention returns other strides than fake tensors predict; see engine/graph/layout.py."""
    from transformers import Phi3Config, Phi3ForCausalLM

    config = Phi3Config(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=64, pad_token_id=0,
    )  # fmt: skip
    return _decoder(config, Phi3ForCausalLM)


@case
def mamba() -> Case:
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(hidden_size=16, num_hidden_layers=2, vocab_size=64, state_size=4)
    torch.manual_seed(0)
    return Case(MambaForCausalLM(config).eval(), kwargs={"input_ids": ids(1, 6)})


@case
def bert_masked() -> Case:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        vocab_size=64,
    )  # fmt: skip
    torch.manual_seed(0)
    model = BertModel(config).eval()

    def call(batch: int, length: int) -> dict[str, torch.Tensor]:
        mask = torch.ones(batch, length, dtype=torch.int64)
        mask[:, length // 2 :] = 0
        return {"input_ids": ids(batch, length, seed=length), "attention_mask": mask}

    return Case(
        model,
        kwargs=call(2, 10),
        dynamic={
            "input_ids": {0: "batch", 1: ("seq", 2, 64)},
            "attention_mask": {0: "batch", 1: ("seq", 2, 64)},
        },
        more=(((), call(3, 7)),),
    )


@case
def t5() -> Case:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, vocab_size=64)
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(config).eval()
    return Case(model, kwargs={"input_ids": ids(1, 9), "decoder_input_ids": ids(1, 5, seed=1)})


@case
def vit() -> Case:
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        image_size=32, patch_size=8,
    )  # fmt: skip
    torch.manual_seed(0)
    return Case(ViTModel(config).eval(), kwargs={"pixel_values": torch.randn(1, 3, 32, 32)})


@case
def convnext() -> Case:
    from transformers import ConvNextConfig, ConvNextModel

    config = ConvNextConfig(hidden_sizes=[8, 16], depths=[2, 2], num_stages=2, image_size=32)
    torch.manual_seed(0)
    return Case(ConvNextModel(config).eval(), kwargs={"pixel_values": torch.randn(1, 3, 32, 32)})


# --- plain modules -------------------------------------------------------------------------------


class Counter(nn.Module):
    """Mutates a buffer in place."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("count", torch.zeros(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count.add_(x.sum(0))
        return self.linear(x) + self.count


@case
def buffer_mutation() -> Case:
    return Case(Counter().eval(), (torch.randn(3, 4),))


class InputMutation(nn.Module):
    """Mutates the caller's tensor."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x.mul_(2).add_(y)
        return x.sum(-1)


@case
def input_mutation() -> Case:
    return Case(InputMutation(), (torch.randn(3, 4), torch.randn(3, 4)))


class Aliases(nn.Module):
    """Returns an input, a view of an input, and one value twice."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> Any:
        z = (x * y).relu()
        return x, y.view(-1), x[1:], z, z, z.transpose(0, 1)


@case
def aliased_outputs() -> Case:
    return Case(Aliases(), (torch.randn(3, 4), torch.randn(3, 4)))


class Tied(nn.Module):
    """Embedding and head share their weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(16, 8)
        self.body = nn.Linear(8, 8)
        self.head = nn.Linear(8, 16, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.embed(x)).tanh())


@case
def tied_weights() -> Case:
    torch.manual_seed(0)
    return Case(Tied().eval(), (ids(2, 5, 16),))


class Nested(nn.Module):
    """Nested dicts in and out; integer, bool and None leaves."""

    def forward(self, batch: dict[str, Any], scale: float, flags: tuple[bool, None]) -> Any:
        x = batch["x"] * scale
        y = batch["inner"]["y"].to(x.dtype)
        masked = torch.where(batch["inner"]["mask"], x + y, -y)
        return {"masked": masked, "parts": [x.sum(), (y.max(), {"flag": flags[0]})]}


@case
def nested_trees() -> Case:
    batch = {
        "x": torch.randn(3, 4),
        "inner": {"y": torch.randint(0, 9, (3, 4)), "mask": torch.rand(3, 4) > 0.5},
    }
    return Case(Nested(), (batch, 0.5), {"flags": (True, None)})


class Mixed(nn.Module):
    """float64 and bfloat16 in one graph."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Linear(8, 8, dtype=torch.float64)
        self.narrow = nn.Linear(8, 8, dtype=torch.bfloat16)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = nn.functional.gelu(self.wide(x))
        return y, self.narrow(y.to(torch.bfloat16)).sigmoid()


@case
def float64_and_bfloat16() -> Case:
    torch.manual_seed(0)
    return Case(Mixed().eval(), (torch.randn(4, 8, dtype=torch.float64),), tolerance=2e-2)


class NoParameters(nn.Module):
    """Arithmetic alone, integers included."""

    def forward(self, x: torch.Tensor, n: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (x.cumsum(0) / (n + 1)).exp(), (n % 3 == 1) & (x.sum(-1, keepdim=True) > 0)


@case
def no_parameters() -> Case:
    return Case(
        NoParameters(),
        (torch.randn(4, 5), torch.arange(20).view(4, 5)),
        dynamic={"x": {0: "rows"}, "n": {0: "rows"}},
        more=(((torch.randn(9, 5), torch.arange(45).view(9, 5)), {}),),
    )


class EmptyBatch(nn.Module):
    """Serves a batch of no rows."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x).softmax(-1)


@case
def empty_batch() -> Case:
    torch.manual_seed(0)
    return Case(
        EmptyBatch().eval(),
        (torch.randn(4, 4),),
        dynamic={"x": {0: ("batch", 0, 64)}},
        more=(((torch.randn(0, 4),), {}), ((torch.randn(1, 4),), {}), ((torch.randn(64, 4),), {})),
    )


@torch.library.custom_op("fastcompile_tests::attn", mutates_args=())
def custom_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Softmax attention over the last two dimensions, as a library would register it."""
    return ((q @ k.transpose(-1, -2)).softmax(-1) @ v).contiguous()


@custom_attention.register_fake
def _(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(v)


class CustomOp(nn.Module):
    """A registered op as the splitting op, between compiled pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.out = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).relu().chunk(3, -1)
        return self.out(torch.ops.fastcompile_tests.attn(q, k, v)).tanh()


@case
def custom_op() -> Case:
    torch.manual_seed(0)
    return Case(CustomOp().eval(), (torch.randn(2, 5, 8),))
