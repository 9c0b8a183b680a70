"""kernel index -> colour, shape and label; contrast by the rule of WCAG 2.2.

One palette serves every background: each fill is dark enough for white text (4.5:1) and far enough
from white and from #111 (3:1). Colour is never the only mark: each kernel has a label and a shape.
"""

from __future__ import annotations

from dataclasses import dataclass

KERNEL_FILLS = (
    "#2a6fbb",  # blue
    "#b2541a",  # orange
    "#3d7d2c",  # green
    "#9a4fb5",  # purple
    "#0f7b80",  # teal
    "#bf4070",  # rose
    "#86661a",  # ochre
    "#5f6bb8",  # indigo
)
SHAPES = "●■▲◆▼★♠♣"
INLINE_FILL = "#6b7078"
INLINE_SHAPE = "○"
SHARED = "∩"  # behind the label of a kernel that another program of the artifact runs, too
STAGE_FILLS = (
    "#2a6fbb",
    "#b2541a",
    "#3d7d2c",
    "#9a4fb5",
    "#0f7b80",
    "#bf4070",
    "#86661a",
)

# The ground below white text that says what was lost.
LOSS_FILL = "#c4302b"
# Legible on white and on #111 alike (3:1, strokes and bars only; text inherits the host's colour).
STROKE = "#80868f"

# The code block of the static report: its own dark ground, so that no host theme can spoil it.
CODE_GROUND = "#1b1f27"
CODE_INK = "#e4e7ec"
CODE_COLORS = {
    "comment": "#a3adbb",
    "keyword": "#ff9db0",
    "string": "#b5d99c",
    "number": "#f2c07e",
    "name": "#9cc7ff",
    "builtin": "#7fdbca",
}


@dataclass(frozen=True)
class Badge:
    """How a kernel is marked wherever it appears."""

    label: str  # "K2"
    shape: str
    fill: str
    slot: int  # index into the palette; the style sheet has the same slots


def kernel_badge(kernel: int | None) -> Badge:
    """The badge of a kernel; of an inlined submodule for None."""
    if kernel is None:
        return Badge("inline", INLINE_SHAPE, INLINE_FILL, -1)
    slot = kernel % len(KERNEL_FILLS)
    # Past the palette's end a hue comes back with another shape, and the label never repeats.
    shape = SHAPES[(kernel + kernel // len(KERNEL_FILLS)) % len(SHAPES)]
    return Badge(f"K{kernel}", shape, KERNEL_FILLS[slot], slot)


def luminance(color: str) -> float:
    """Relative luminance of ``#rrggbb``, 0 (black) to 1 (white)."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two opaque colours, 1 to 21."""
    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
