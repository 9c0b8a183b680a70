"""Models -> which of them the cache covers; ``python -m tests.architectures.covered`` prints it.

The zoo, the five families of the bench, hand-made modules in the shapes of torchvision and timm,
and models of diffusers and peft. What is uncovered is compiled every time, so there must be none.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ipy_fastcompile.cache.key.call import make_key
from tests.architectures.shapes import SHAPES
from tests.architectures.zoo import BUILDERS, Case
from tests.benchmarks.families import FAMILIES, Spec, build

_SMALL = {"block_out_channels": (8, 16), "norm_num_groups": 4}


def unet() -> Case:
    from diffusers import UNet2DConditionModel

    model = UNet2DConditionModel(
        sample_size=8, layers_per_block=1, cross_attention_dim=8, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), **_SMALL,
    )  # fmt: skip
    return Case(model.eval(), (torch.zeros(1, 4, 8, 8), torch.tensor(1), torch.zeros(1, 3, 8)))


def vae() -> Case:
    from diffusers import AutoencoderKL

    model = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        **_SMALL,
    )  # fmt: skip
    return Case(model.eval(), (torch.zeros(1, 3, 16, 16),))


def dit() -> Case:
    from diffusers import DiTTransformer2DModel

    model = DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=4, in_channels=4, num_layers=2, sample_size=8,
        num_embeds_ada_norm=10, norm_num_groups=4,
    )  # fmt: skip
    labels = torch.tensor([1])
    return Case(model.eval(), (torch.zeros(1, 4, 8, 8), labels, labels))


def controlnet() -> Case:
    from diffusers import ControlNetModel

    model = ControlNetModel(
        layers_per_block=1, cross_attention_dim=8, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        conditioning_embedding_out_channels=(4, 8), **_SMALL,
    )  # fmt: skip
    images = (torch.zeros(1, 3, 8), torch.zeros(1, 3, 16, 16))
    return Case(model.eval(), (torch.zeros(1, 4, 8, 8), torch.tensor(1), *images))


def _adapted(case: Case, targets: list[str], **options: Any) -> Case:
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(case.model, LoraConfig(r=2, target_modules=targets, **options))
    return Case(model.eval(), case.args, case.kwargs, case.dynamic)


def llama_lora() -> Case:
    return _adapted(BUILDERS["llama"](), ["q_proj", "v_proj"], lora_dropout=0.1)


def vit_dora() -> Case:
    return _adapted(BUILDERS["vit"](), ["query", "value", "q_proj", "v_proj"], use_dora=True)


def _family(name: str) -> Callable[[], Case]:
    def make() -> Case:
        built = build(Spec(name, layers=4, hidden=64))
        return Case(built.model, (), built.kwargs, built.dynamic)

    return make


def _shape(name: str) -> Callable[[], Case]:
    return lambda: Case(*SHAPES[name]())


MODELS: dict[str, Callable[[], Case]] = {
    **BUILDERS,
    **{f"family {name}": _family(name) for name in FAMILIES},
    **{f"shape {name}": _shape(name) for name in SHAPES},
    **{f.__name__: f for f in (unet, vae, dit, controlnet, llama_lora, vit_dora)},
}


def ask(names: tuple[str, ...] = tuple(MODELS)) -> Iterator[tuple[str, tuple[str, ...], float]]:
    """(name, what is uncovered, seconds of a second key) of each model."""
    for name in names:
        case = MODELS[name]()
        key = make_key(case.model, case.args, case.kwargs, dynamic=case.dynamic)
        started = time.perf_counter()
        make_key(case.model, case.args, case.kwargs, dynamic=case.dynamic)
        yield name, key.uncovered, time.perf_counter() - started


def main() -> None:
    """Print a line for each model, and the share."""
    warnings.simplefilter("ignore")
    covered = 0
    for name, uncovered, seconds in ask():
        covered += not uncovered
        print(f"{name:24} {seconds * 1000:6.0f} ms  {'; '.join(uncovered[:4]) or 'covered'}")
    print(f"{covered} of {len(MODELS)} models are covered")


if __name__ == "__main__":
    main()
