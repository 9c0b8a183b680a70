"""Tiny causal models, and what `generate` gives with one, here and in a process of its own."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch

LENGTHS = (6, 9, 17)


def make(name: str) -> Any:
    """The model, with the same weights in every process."""
    import transformers

    torch.manual_seed(0)
    tokens = {"vocab_size": 64, "bos_token_id": 1, "eos_token_id": None, "pad_token_id": 0}
    if name == "GPT-2":
        config = transformers.GPT2Config(n_embd=32, n_layer=2, n_head=2, **tokens)
        return transformers.GPT2LMHeadModel(config).eval()
    config = transformers.LlamaConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=64, **tokens,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


def prompts(batch: int) -> list[torch.Tensor]:
    """Prompts of other lengths than those that were recorded."""
    generator = torch.Generator().manual_seed(batch)
    return [torch.randint(2, 64, (batch, n), generator=generator) for n in LENGTHS]


def generated(model: Any, ids: torch.Tensor) -> list[list[int]]:
    """The greedy tokens."""
    tokens: list[list[int]] = model.generate(ids, max_new_tokens=12, do_sample=False).tolist()
    return tokens


def main(name: str, path: str, batch: int) -> None:
    """Print eager's tokens, those of the artifact, its kernels' ways, and what it imported."""
    import ipy_fastcompile as fc

    model = make(name)
    eager = [generated(model, ids) for ids in prompts(batch)]
    before = set(sys.modules)
    fn = fc.load(path, model)
    with fn.installed(model, strict=True):
        found = [generated(model, ids) for ids in prompts(batch)]
    new = [m for m in set(sys.modules) - before if m.startswith(("torch._dynamo", "torch._ind"))]
    print(json.dumps({"eager": eager, "found": found, "ways": fn.kernel_ways, "new": new}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
