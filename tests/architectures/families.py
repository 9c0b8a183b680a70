"""What a family's configuration needs beside `shrink`: its sizes depend on each other."""

from __future__ import annotations

from typing import Any

_SSM = {"mamba_n_heads": 8, "mamba_d_head": 8}

EXCEPTIONS: dict[str, dict[str, Any]] = {
    "bamba": {**_SSM, "attn_layer_indices": [1]},
    "deepseek_v2": {"num_experts_per_tok": 2},
    "dots1": {
        "moe_intermediate_size": 16, "n_routed_experts": 4, "n_shared_experts": 1,
        "num_experts_per_tok": 2,
    },
    "gpt_neo": {"num_layers": 2, "attention_types": [[["global", "local"], 1]]},
    "granitemoehybrid": {
        **_SSM, "num_hidden_layers": 2, "layer_types": ["linear_attention", "full_attention"],
    },
    "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8},
    "jamba": {"num_hidden_layers": 4, "attn_layer_period": 2, "attn_layer_offset": 1},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 2},
    "ministral": {"head_dim": 8},
    "nemotron": {"num_key_value_heads": 2},
}  # fmt: skip

# The types that are tried: each kind of attention, state, position and mixture of experts.
_TYPES = """
    llama mistral gpt2 gemma gemma2 gemma3_text gemma4_text mixtral mamba mamba2 falcon_mamba bart
    whisper bert xlnet rwkv recurrent_gemma falcon_h1 bamba jamba zaya lfm2 nemotron_h minimax
    deepseek_v2 deepseek_v3 deepseek_v4 gpt_oss phi phi3 phimoe qwen2 qwen2_moe qwen3 qwen3_moe
    olmo2 olmo3 olmoe olmo_hybrid cohere cohere2 bloom mpt opt falcon gpt_neo gpt_neox gptj
    gpt_bigcode codegen openai-gpt ctrl glm glm4 glm4_moe granite granitemoe granitemoehybrid
    starcoder2 stablelm persimmon nemotron helium smollm3 ernie4_5 exaone4 diffllama doge jetmoe
    jais2 modernbert-decoder biogpt xglm trocr kimi_linear longcat_flash roformer hunyuan_v1_moe
    qwen3_next
"""
NAMES = tuple(_TYPES.split())
