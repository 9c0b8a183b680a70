"""A name -> a model that generates, at toy size, and what `generate` is given.

No model ends a text by itself: its end token is one that greedy decoding does not choose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from tests.architectures.shrink import VOCABULARY, small_model

NEW = 32


@dataclass(frozen=True)
class Generation:
    """A model, and the arguments of `generate` for a batch and the length of its prompt.

    ``recorded`` are the batches and lengths to record: one, where its calls are of the same kinds
    for any batch.
    """

    model: Any
    prompt: Callable[[int, int], dict[str, torch.Tensor]]
    recorded: tuple[tuple[int, int], ...] = ((2, 9),)

    def run(self, batch: int, length: int, **options: Any) -> torch.Tensor:
        """The greedy tokens, int64[batch, tokens]."""
        said = self.model.generate(
            **self.prompt(batch, length), max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False,
            pad_token_id=0, **options,
        )  # fmt: skip
        return getattr(said, "sequences", said)


def make(name: str) -> Generation:
    """The model of a name in `NAMES`; every process has the same weights."""
    if name in _BUILDERS:
        return _BUILDERS[name]()
    return Generation(small_model(name), _ids)


def _ids(batch: int, length: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(100 * batch + length)
    ids = torch.randint(8, VOCABULARY, (batch, length), generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _mamba() -> Generation:
    """A loop goes through its prompt, and each length is a program: two are recorded."""
    return Generation(small_model("mamba"), _ids, recorded=((2, 9), (2, 14)))


def _t5() -> Generation:
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    config = T5Config(
        d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, vocab_size=VOCABULARY,
        decoder_start_token_id=0, initializer_factor=5.0,
    )  # fmt: skip
    return Generation(T5ForConditionalGeneration(config).eval(), _ids)


def _bart() -> Generation:
    from transformers import BartConfig, BartForConditionalGeneration

    torch.manual_seed(0)
    config = BartConfig(
        d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, vocab_size=VOCABULARY,
        forced_eos_token_id=None, init_std=0.5, tie_word_embeddings=False,
    )  # fmt: skip
    return Generation(BartForConditionalGeneration(config).eval(), _ids)


def _whisper() -> Generation:
    """Its prompt is what it has said so far; what it hears is always as long."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, vocab_size=VOCABULARY,
        num_mel_bins=8, max_source_positions=16, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=3, init_std=0.5,
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config).eval()

    def prompt(batch: int, length: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(batch)
        return {
            "input_features": torch.randn(batch, 8, 32, generator=generator),
            "decoder_input_ids": _ids(batch, length)["input_ids"],
        }

    return Generation(model, prompt)


def _llava() -> Generation:
    """An image of four patches stands before the text.

    What its images become is a list, of an entry for each: another kind of call for each number.
    """
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
    )

    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        image_size=16, patch_size=8, projection_dim=16,
    )  # fmt: skip
    text = LlamaConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=VOCABULARY, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    image = 4
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_id=image)
    model = LlavaForConditionalGeneration(config).eval()

    def prompt(batch: int, length: int) -> dict[str, torch.Tensor]:
        text = _ids(batch, length)["input_ids"]
        ids = torch.cat([torch.full((batch, 4), image), text], 1)
        generator = torch.Generator().manual_seed(batch)
        pixels = torch.randn(batch, 3, 16, 16, generator=generator)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels}

    return Generation(model, prompt, recorded=((1, 9), (3, 9)))


_BUILDERS = {"mamba": _mamba, "t5": _t5, "bart": _bart, "whisper": _whisper, "llava": _llava}
NAMES = (
    *("llama", "mistral", "gemma3_text", "gpt2", "mixtral", "mamba", "qwen3_next"),
    *("t5", "bart", "whisper", "llava"),
)
# Those that `generate` gives a static cache, where it is asked for one.
STATIC = tuple(name for name in NAMES if name != "mamba")
