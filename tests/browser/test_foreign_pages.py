"""Pages of others' files, opened from disk: without a script, readable wide and narrow."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipy_fastcompile.foreign.compare import compare
from ipy_fastcompile.foreign.comparison import ForeignComparison
from ipy_fastcompile.foreign.open import open_foreign
from tests.browser.conftest import OpenPage, violations

pytestmark = pytest.mark.browser

RECORDED = Path(__file__).parents[1] / "unit" / "foreign" / "recorded"
LOOKS = [(width, scheme) for width in (1360, 480) for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is in the page -> its file:// address."""
    folder = tmp_path_factory.mktemp("foreign_pages")
    compared = compare(RECORDED / "aot_compile_2_15", RECORDED / "precompile" / "inductor.py")
    assert isinstance(compared, ForeignComparison)
    compared.to_html(folder / "compared.html")
    open_foreign(RECORDED / "aot_compile_2_15").to_html(folder / "file.html")
    open_foreign(RECORDED / "vllm").to_html(folder / "folder.html")
    return {path.stem: path.as_uri() for path in folder.iterdir()}


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("name", ["file", "folder", "compared"])
def test_nothing_is_wider_than_the_window(
    name: str, width: int, scheme: str, pages: dict[str, str], open_page: OpenPage
) -> None:
    watched = open_page(width=width, color_scheme=scheme, offline=True)
    watched.page.goto(pages[name])
    watched.page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    assert watched.requests == [pages[name]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["file", "folder", "compared"])
def test_it_is_legible_and_reached_by_keyboard(
    name: str, scheme: str, pages: dict[str, str], open_page: OpenPage
) -> None:
    watched = open_page(color_scheme=scheme)
    watched.page.goto(pages[name])
    assert violations(watched.page, "main") == []


def test_code_is_side_by_side_where_there_is_room(
    pages: dict[str, str], open_page: OpenPage
) -> None:
    def corners(width: int) -> list[tuple[float, float]]:
        page = open_page(width=width).page
        page.goto(pages["compared"])
        blocks = page.locator("details[open] pre").all()[-2:]
        return [(box["x"], box["y"]) for box in (block.bounding_box() for block in blocks)]

    (left, top), (right, other_top) = corners(1360)
    assert left < right
    assert top == other_top
    (left, top), (right, other_top) = corners(480)
    assert left == right
    assert top < other_top
