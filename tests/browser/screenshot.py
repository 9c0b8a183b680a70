"""report.json -> explorer.png: the README's picture, from a real report.

``python -m tests.browser.screenshot REPORT.json notebooks/images/explorer.png``, where the JSON is
what ``compiled.report.to_json()`` gave, best of a model with repeated layers that was profiled.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from ipy_fastcompile.records import Report
from ipy_fastcompile.show.page import write_page
from tests.browser.conftest import ARGUMENTS


def shoot(report: Report, path: Path, *, dark: bool = False, width: int = 1360) -> None:
    """Draw the explorer with a submodule of a repeated layer and one of its nodes chosen."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_path = Path(folder) / "page.html"
        write_page(report, page_path)
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(
            viewport={"width": width, "height": 800},
            device_scale_factor=1.4,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        page.goto(page_path.as_uri())
        page.locator(".fc-fold .fc-twist").first.click()
        submodule = next(s for s in report.submodules if s.kernel is not None and s.index > 1)
        page.get_by_role("treegrid").get_by_text(submodule.name, exact=True).dblclick()
        page.locator(".fc-stage [data-i]:focus").wait_for()
        page.locator(".fc-stage .point:has(text)").nth(12).click()
        page.mouse.move(5, 5)
        page.wait_for_timeout(300)
        page.locator(".fc-root").screenshot(path=str(path))
        browser.close()


if __name__ == "__main__":
    text, picture = sys.argv[1:3]
    Path(picture).parent.mkdir(parents=True, exist_ok=True)
    shoot(Report.from_json(Path(text).read_bytes()), Path(picture), dark="--dark" in sys.argv)
