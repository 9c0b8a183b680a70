"""Contrast, computed: WCAG 2.2 asks 4.5:1 of text and 3:1 of strokes, bars and borders."""

from __future__ import annotations

import re
from itertools import product

import pytest

from ipy_fastcompile.show.frontend import style_source
from ipy_fastcompile.show.palette import (
    CODE_COLORS,
    CODE_GROUND,
    CODE_INK,
    INLINE_FILL,
    KERNEL_FILLS,
    STAGE_FILLS,
    STROKE,
    contrast,
    kernel_badge,
)

# Grounds that the hosts draw on: JupyterLab, Notebook, VS Code, Colab, light and dark.
LIGHT = ("#ffffff", "#f7f7f7", "#f8f8f8", "#f3f3f3")
DARK = ("#111111", "#000000", "#1e1e1e", "#212121", "#1f1f1f", "#121212")


def theme(name: str) -> dict[str, str]:
    """The custom properties of the style sheet that hold colours, for a theme."""
    css = style_source()
    blocks = re.findall(r"\.fc-root(\[data-theme=\"dark\"\])? \{([^}]*)\}", css)
    found: dict[str, str] = {}
    for dark, body in blocks:
        if not dark or name == "dark":
            found |= dict(re.findall(r"--(fc-[\w-]+): (#[0-9a-f]{6});", body))
    return found


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#ffffff", "#777777") == contrast("#777777", "#ffffff")


def test_badges_carry_white_text_and_stand_out_everywhere() -> None:
    for fill in (*KERNEL_FILLS, INLINE_FILL):
        assert contrast(fill, "#ffffff") >= 4.5
        assert all(contrast(fill, ground) >= 3 for ground in (*LIGHT, *DARK))


def test_bars_and_strokes_stand_out_everywhere() -> None:
    for fill, ground in product((*STAGE_FILLS, STROKE), (*LIGHT, *DARK)):
        assert contrast(fill, ground) >= 3, (fill, ground)


def test_the_code_block_of_the_static_report_is_legible() -> None:
    for color in (*CODE_COLORS.values(), CODE_INK):
        assert contrast(color, CODE_GROUND) >= 4.5


@pytest.mark.parametrize(("name", "grounds"), [("light", LIGHT), ("dark", DARK)])
def test_text_of_the_explorer_is_legible_on_every_ground_it_meets(
    name: str, grounds: tuple[str, ...]
) -> None:
    colors = theme(name)
    own = [colors[f"fc-{n}"] for n in ("panel", "card", "on", "lit", "echo", "add", "cut")]
    bars = [colors["fc-bar"], colors["fc-heat"]]
    tokens = [color for key, color in colors.items() if key.startswith("fc-t-")]
    assert len(tokens) == 6
    for ink, ground in product([colors["fc-ink"], colors["fc-muted"], *tokens], [*grounds, *own]):
        assert contrast(ink, ground) >= 4.5, (name, ink, ground)
    for bar in bars:
        assert contrast(colors["fc-ink"], bar) >= 4.5
    for ground in grounds:
        assert contrast(colors["fc-alarm"], ground) >= 4.5


@pytest.mark.parametrize(("name", "grounds"), [("light", LIGHT), ("dark", DARK)])
def test_strokes_of_the_explorer_are_visible(name: str, grounds: tuple[str, ...]) -> None:
    colors = theme(name)
    strokes = [colors[f"fc-{n}"] for n in ("stroke", "on-line", "echo-line", "focus", "warm")]
    for stroke, ground in product(strokes, [*grounds, colors["fc-card"], colors["fc-panel"]]):
        assert contrast(stroke, ground) >= 3, (name, stroke, ground)


def test_the_style_sheet_has_the_palette_s_fills() -> None:
    css = style_source()
    for slot, fill in enumerate(KERNEL_FILLS):
        assert f".fc-k{slot} {{ background: {fill}; }}" in css
    assert f".fc-inline {{ background: {INLINE_FILL}; }}" in css


def test_no_two_kernels_look_the_same() -> None:
    badges = [kernel_badge(index) for index in range(64)]
    assert len({badge.label for badge in badges}) == 64
    assert len({(badge.shape, badge.fill) for badge in badges}) == 64
    assert kernel_badge(None).label == "inline"
