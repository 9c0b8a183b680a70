from __future__ import annotations

import pytest

from tests.benchmarks.families import FAMILIES, Spec, build


def test_the_published_reductions_follow_from_the_published_seconds() -> None:
    found = {name: family.published.reduction for name, family in FAMILIES.items()}
    rounded = {name: value and round(value, 1) for name, value in found.items()}
    assert rounded == {
        "deepseek_v3": 95.5,
        "glm4_moe": 93.5,
        "gpt_oss": 87.9,
        "llama": 94.9,
        "qwen3_5_moe": None,
    }


def test_the_real_depths() -> None:
    assert {name: family.layers for name, family in FAMILIES.items()} == {
        "deepseek_v3": 61,
        "glm4_moe": 92,
        "gpt_oss": 36,
        "llama": 80,
        "qwen3_5_moe": 40,
    }


def test_a_specification_names_what_is_unusual() -> None:
    assert Spec().name == "llama-80x64"
    assert Spec("llama", 4, 1024, 128, "cuda:0", "bfloat16").name == (
        "llama-4x1024-128tokens-cuda0-bfloat16"
    )
    assert Spec(**Spec("gpt_oss", 2).to_data()) == Spec("gpt_oss", 2)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_builds_with_the_depth_asked_for(name: str) -> None:
    case = build(Spec(name, 2))
    assert case.model.config.num_hidden_layers == 2
    assert not case.model.training
    for kwargs in (case.kwargs, case.other):
        logits = case.model(**kwargs).logits
        assert logits.shape[:2] == kwargs["input_ids"].shape
        assert logits.isfinite().all()
    assert case.kwargs["input_ids"].shape != case.other["input_ids"].shape


def test_every_process_has_the_same_weights() -> None:
    one, other = (build(Spec("llama", 1)).model.state_dict() for _ in range(2))
    assert all((one[name] == other[name]).all() for name in one)


def test_the_linear_attention_of_qwen_is_one_op_with_the_numbers_of_the_loop() -> None:
    import torch

    from tests.benchmarks import ops

    generator = torch.Generator().manual_seed(0)
    q, k = (torch.rand(1, 70, 2, 8, generator=generator) for _ in range(2))
    v = torch.rand(1, 70, 4, 8, generator=generator)
    g, beta = (-torch.rand(1, 70, 4, generator=generator) for _ in range(2))
    expected = ops._reference(
        q, k, v, g=g, beta=-beta, output_final_state=True, use_qk_l2norm_in_kernel=True
    )
    found = torch.ops.ipy_fastcompile_bench.gated_delta_attention(q, k, v, g, -beta)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    torch.library.opcheck(
        torch.ops.ipy_fastcompile_bench.gated_delta_attention.default,
        (q, k, v, g, -beta),
        test_utils=("test_schema", "test_faketensor"),
    )
