"""A width of window -> models of transformers whose caches slide: all of them, or every other."""

from __future__ import annotations

from typing import Any

import torch
import transformers as tf

_SIZES: dict[str, Any] = {
    "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64,
    "vocab_size": 64, "bos_token_id": 1, "eos_token_id": None, "pad_token_id": 0,
}  # fmt: skip


def windowed(window: int) -> dict[str, Any]:
    """Mistral and Gemma 3, by name. They do not end a text by themselves."""
    torch.manual_seed(0)
    mistral = tf.MistralConfig(num_hidden_layers=1, sliding_window=window, **_SIZES)
    kinds = ["sliding_attention", "full_attention"]
    gemma3 = tf.Gemma3TextConfig(
        num_hidden_layers=2, head_dim=8, sliding_window=window, layer_types=kinds, **_SIZES
    )
    return {
        "mistral": tf.MistralForCausalLM(mistral).eval(),
        "gemma3": tf.Gemma3ForCausalLM(gemma3).eval(),
    }
