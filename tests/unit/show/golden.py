"""Text -> the same text, or a failed test that shows the difference.

``REFRESH_GOLDEN=1 python -m pytest tests/unit/show`` writes the files anew; review the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "golden" / "show"


def check_golden(name: str, text: str) -> None:
    """Compare ``text`` with ``tests/golden/show/name``."""
    path = FOLDER / name
    if os.environ.get("REFRESH_GOLDEN"):
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8"), f"{path} differs; see {__name__} for how to refresh it"
