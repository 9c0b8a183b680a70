"""Cells of a notebook about a causal model with its default configuration, for several tests.

The model is the same to the letter in all of them, so that the second test finds it in the cache.
"""

from __future__ import annotations

MODEL = """\
%load_ext ipy_fastcompile
import torch
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
config = LlamaConfig(
    num_hidden_layers=1, hidden_size=32, intermediate_size=64, num_attention_heads=2,
    num_key_value_heads=2, vocab_size=64, max_position_embeddings=64,
)
model = LlamaForCausalLM(config).eval()
ids = torch.arange(6).reshape(1, 6)
positions = torch.arange(6).reshape(1, 6)
"""

# Two kinds of call by `generate`, and a third, whose first kernel is that of the prefill.
GENERATE = """\
%%fastcompile -m model --no-warm --save generate.fastcompile
tokens = model.generate(ids, max_new_tokens=8)
scores = model(ids, position_ids=positions).logits
"""
