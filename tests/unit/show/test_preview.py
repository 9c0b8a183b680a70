"""How a preview shows itself: the ways side by side, then the kernels and pieces of each."""

from __future__ import annotations

from ipy_fastcompile.previews import Piece, PlannedKernel, Preview, SplitPreview
from ipy_fastcompile.records import NearTwin, Symbol
from ipy_fastcompile.show.preview import mime_bundle
from tests.unit.show.golden import check_golden


def sample_preview(*, priced: bool = True) -> Preview:
    attention = "splitting op aten::scaled_dot_product_attention"
    near = NearTwin(0, 0, "add_1", "float 1e-05", "float 1e-06")
    default = SplitPreview(
        "the default",
        (
            Piece("submod_0", "start", "model", 66, 0, 0),
            Piece("submod_1", attention, "model.layers.0.self_attn", 1, None, 37_900),
            Piece("submod_2", f"after {attention}", "model.layers.0", 58, 1, 21_500),
            Piece("submod_3", attention, "model.layers.1.self_attn", 1, None, 37_900),
            Piece("submod_4", f"after {attention}", "model.layers.1", 58, 1, 21_500),
        ),
        (
            PlannedKernel(0, "a1" * 32, (0,), 66, None, (2.5, 7.1) if priced else None, False),
            PlannedKernel(1, "b2" * 32, (2, 4), 58, near, (3.4, 3.4) if priced else None, True),
        ),
        (8.3, 13.0) if priced else None,
    )
    whole = SplitPreview(
        "by_function()",
        (Piece("submod_0", "start", "", 184, 0, 0),),
        (PlannedKernel(0, "c3" * 32, (0,), 184, None, (9.0, 30.0) if priced else None, False),),
        (12.0, 34.0) if priced else None,
    )
    sizes = (Symbol("seq", 2, 512, 32),)
    return Preview("LlamaForCausalLM", 1_165, sizes, 1.9, (default, whole), 41 if priced else 0)


def test_golden() -> None:
    check_golden("preview.txt", str(sample_preview()))
    check_golden("preview.html", mime_bundle(sample_preview())["text/html"])


def test_without_prices_it_says_so() -> None:
    text = str(sample_preview(priced=False))
    assert "cold times are not known: the cache has no kernel" in text
    assert text.count("not known") == 3


def test_in_a_line_it_is_the_ways_with_their_kernels() -> None:
    assert repr(sample_preview()) == (
        "<preview of LlamaForCausalLM, split at the default: 2 kernels, by_function(): 1 kernels>"
    )


def test_nothing_that_a_model_says_steers_a_page() -> None:
    name = "<script>alert(1)</script>\x1b[31m"
    piece = Piece(name, name, name, 1, None, 0)
    shown = mime_bundle(Preview(name, 1, (), 0.1, (SplitPreview(name, (piece,), (), None),), 0))
    assert "<script>" not in shown["text/html"]
    assert "\x1b" not in shown["text/plain"]
