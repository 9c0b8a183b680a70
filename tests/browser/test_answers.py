"""The front end and a kernel that answers late, in another order, or much: a model made here."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ipy_fastcompile.show
from ipy_fastcompile.records import NOT_COMPILED, Report, Standing
from ipy_fastcompile.show.frontend import module_source, style_source
from ipy_fastcompile.show.overview import overview, race_data
from ipy_fastcompile.show.program_contents import ProgramContents
from ipy_fastcompile.show.programs import program_views
from tests.browser.conftest import OpenPage, list_of
from tests.unit.show.sample import sample_report

pytestmark = pytest.mark.browser

STATIC = Path(ipy_fastcompile.show.__file__).parent / "static"
NODE = "\u203a"  # between a submodule and its node in the status line
# Keeps every question until the test answers it.
MODEL = """
const listeners = new Map(), asked = [];
const state = {data: DATA, reloads: [], race: RACE, problem: {}};
const tell = (name, message) => [...listeners.get(name) ?? []].forEach((act) => act(message));
const model = {
  get: (name) => state[name],
  on: (name, act) => listeners.set(name, [...listeners.get(name) ?? [], act]),
  off: () => undefined,
  send: (message) => asked.push(message),
};
const answer = (question, content) => tell("msg:custom",
  {type: "answer", id: question.id, part: 0, parts: 1, body: JSON.stringify(content)});
"""


def module(text: str) -> str:
    return f"data:text/javascript;base64,{base64.b64encode(text.encode()).decode()}"


class Kernel:
    """The other side: what was asked, and the answers, when the test gives them."""

    def __init__(
        self, open_page: OpenPage, report: Report, standing: Standing | None = None
    ) -> None:
        race = race_data(standing, report.reloads)
        self.page = open_page().page
        self.contents = ProgramContents(program_views(report))
        data = {**overview(report, self.contents, can_rerun=True), "start": {}}
        self.page.set_content(f"<style>{style_source()}</style><div id=here></div>")
        self.page.evaluate(
            f"""async () => {{
            {MODEL.replace("RACE", json.dumps(race)).replace("DATA", json.dumps(data))}
            Object.assign(window, {{asked, answer, state, tell}});
            const {{default: front}} = await import({module(module_source())!r});
            front.render({{model, el: document.getElementById("here")}});
            }}"""
        )

    def answer(self, prefix: str) -> list[str]:
        """Answer the open questions whose keys start like this; returns their keys."""
        self.page.wait_for_function("(p) => asked.some((q) => q.key.startsWith(p))", arg=prefix)
        questions = self.page.evaluate(
            "(p) => asked.filter((q) => q.key.startsWith(p)).map("
            "(q) => asked.splice(asked.indexOf(q), 1)[0])",
            prefix,
        )
        for question in questions:
            content = self.contents.answer(question["key"])
            self.page.evaluate("([q, content]) => answer(q, content)", [question, content])
        return [question["key"] for question in questions]


def test_a_node_that_comes_late_is_not_chosen_in_another_submodule(open_page: OpenPage) -> None:
    kernel = Kernel(open_page, sample_report(4, near_twin=True))
    page, status = kernel.page, kernel.page.locator(".fc-status")
    first, second = (list_of(page).locator(".fc-row").nth(n) for n in (0, 1))
    first.click()
    page.get_by_role("tab", name="FX graph").click()
    kernel.answer("code:fx:")
    page.get_by_role("grid", name="FX graph").locator(".fc-row", has_text="linear").first.click()
    # Asked for, but not here yet, when the reader goes on.
    page.wait_for_function("() => asked.some((q) => q.key.startsWith('graph:'))")
    second.click()
    chosen = status.inner_text()
    assert kernel.answer("graph:")
    page.evaluate("() => new Promise((done) => setTimeout(done, 0))")
    assert status.inner_text() == chosen
    assert NODE not in chosen


def test_a_node_that_comes_late_is_chosen_where_it_was_asked_for(open_page: OpenPage) -> None:
    kernel = Kernel(open_page, sample_report(4, near_twin=True))
    page = kernel.page
    list_of(page).locator(".fc-row").first.click()
    page.get_by_role("tab", name="FX graph").click()
    kernel.answer("code:fx:")
    page.get_by_role("grid", name="FX graph").locator(".fc-row", has_text="linear").first.click()
    kernel.answer("graph:")
    page.locator(".fc-status", has_text=NODE).wait_for()


def test_a_line_that_leads_to_a_node_late_does_not_take_back_a_later_choice(
    open_page: OpenPage,
) -> None:
    report = sample_report(4, near_twin=True)
    lines = tuple(replace(r, node="linear") if r.node == "hidden_0" else r for r in report.lines)
    kernel = Kernel(open_page, replace(report, lines=lines))
    page = kernel.page
    kernel.answer("code:execution:")
    code = page.get_by_role("grid", name="Execution code")
    code.locator(".fc-row", has_text="hidden_0, cos").click()
    page.get_by_role("tab", name="FX graph").click()
    kernel.answer("code:fx:")
    page.get_by_role("grid", name="FX graph").locator(".fc-row", has_text="rsqrt:").click()
    page.evaluate("() => asked.reverse()")
    assert len(kernel.answer("graph:")) == 2
    page.locator(".fc-inspector").get_by_text("rsqrt", exact=True).wait_for()
    page.evaluate("() => new Promise((done) => setTimeout(done, 0))")
    assert page.locator(".fc-inspector strong").inner_text() == "rsqrt"


def test_what_opens_late_does_not_take_the_focus_from_who_has_gone_on(open_page: OpenPage) -> None:
    kernel = Kernel(open_page, sample_report(4, near_twin=True))
    page = kernel.page
    first = list_of(page).locator(".fc-row").first
    focused = "() => document.activeElement.closest('[data-i], input, .fc-row')?.outerHTML ?? ''"
    first.click()
    page.keyboard.press("Enter")
    page.keyboard.press("/")
    kernel.answer("graph:")
    kernel.answer("svg:")
    page.locator(".fc-middle [data-i]").first.wait_for()
    assert "Filter submodules" in page.evaluate(focused)
    # Who waits is taken along, and so is who opens what is there already.
    for _ in range(2):
        first.click()
        page.keyboard.press("Enter")
        page.locator(".fc-middle [data-i]:focus").wait_for()


def test_a_pane_that_nobody_answers_says_so(open_page: OpenPage) -> None:
    kernel = Kernel(open_page, sample_report(4, near_twin=True))
    page = kernel.page
    list_of(page).locator(".fc-row").first.click()
    page.get_by_role("tab", name="Source").click()
    kernel.answer("graph:")
    # The table of source lines is never sent.
    notice = page.locator(".fc-detail .fc-other .fc-notice")
    notice.get_by_text("Kernel not connected, or busy.").wait_for()
    assert "saved view" not in notice.inner_text()  # there is none
    notice.get_by_role("button", name="Try again").click()
    kernel.answer("sources:")
    page.locator(".fc-sourceline").first.wait_for()


@pytest.fixture
def host(open_page: OpenPage) -> Any:
    """A page with a host of `host.js` whose questions are answered at once."""
    page = open_page().page
    page.set_content("<p>")
    source = module((STATIC / "host.js").read_text("utf-8"))
    page.evaluate(
        f"""async () => {{
        const {{makeHost}} = await import({source!r});
        {MODEL.replace("RACE", "{}").replace("DATA", "{}")}
        const start = Object.fromEntries([...Array(200).keys()].map((n) => [`start:${{n}}`, n]));
        const host = makeHost(model, start);
        const get = async (key) => {{
          const content = host.ask(key);
          while (asked.length) {{ const q = asked.shift(); answer(q, `of ${{q.key}}`); }}
          return content;
        }};
        Object.assign(window, {{host, get}});
        }}"""
    )
    return page


def test_what_is_used_is_kept_and_the_rest_goes(host: Any) -> None:
    found = host.evaluate(
        """async () => {
        await get("sources:");
        await get("graph:0");
        for (let n = 0; n < 500; n++) {
          const one = await get(`code:${n}`);
          if (one !== `of code:${n}` || host.peek(`code:${n}`) !== one) return `lost code:${n}`;
          if (host.peek("sources:") !== "of sources:") return `lost sources at ${n}`;
          if (await get("graph:0") !== "of graph:0") return `lost graph at ${n}`;
        }
        const left = [...Array(500).keys()].filter((n) => host.peek(`code:${n}`) !== undefined);
        return [left.length, left[0], host.peek("start:0"), host.peek("start:199")];
        }"""
    )
    assert found == [118, 382, 0, 199]


def test_a_submodule_that_was_not_compiled_is_no_splitting_op(open_page: OpenPage) -> None:
    report = sample_report(2)
    first = report.submodules[0]
    refused = replace(
        first, inlined=True, kernel=None, reason=f"{first.reason}{NOT_COMPILED}NotImplementedError"
    )
    kernel = Kernel(open_page, replace(report, submodules=(refused, *report.submodules[1:])))
    page = kernel.page
    list_of(page).locator(".fc-row").first.click()
    page.get_by_role("tab", name="Output code").click()
    said = page.locator(".fc-detail .fc-panel")
    said.get_by_text("Inductor could not compile it: NotImplementedError").wait_for()
    assert "splitting op" not in said.inner_text()
    assert "not compiled" in page.locator(".fc-status").inner_text()
    splitting = next(s.index for s in report.submodules if s.inlined)
    list_of(page).locator(".fc-row").nth(splitting).click()
    said.get_by_text("because it is a splitting op").wait_for()


def test_arrows_in_the_tabs_take_the_focus_with_them(open_page: OpenPage) -> None:
    page = Kernel(open_page, sample_report(2)).page
    page.get_by_role("tab", name="Execution code").focus()
    for key, name in (("ArrowRight", "FX graph"), ("End", "Artifact"), ("Home", "Execution code")):
        page.keyboard.press(key)
        focused = page.evaluate("() => document.activeElement.textContent")
        assert focused == name
        tab = page.get_by_role("tab", name=name, exact=True)
        assert tab.get_attribute("aria-selected") == "true"


def test_a_click_asks_for_little(open_page: OpenPage) -> None:
    kernel = Kernel(open_page, sample_report(80, near_twin=True))
    page = kernel.page
    page.get_by_role("tab", name="FX graph").click()
    page.evaluate("() => asked.splice(0)")
    list_of(page).get_by_text("submod_4", exact=True).click()
    kernel.answer("code:fx:")
    lines = page.get_by_role("grid", name="FX graph").locator(".fc-row")
    lines.nth(4).wait_for()
    asked = [question["key"] for question in page.evaluate("() => asked")]
    assert len(asked) <= 3  # the picture of the graph and its nodes, perhaps
    sizes = [len(json.dumps(kernel.contents.answer(key))) for key in ("code:fx:2:0", *asked)]
    assert sum(sizes) < 200_000  # one message


def test_a_kernel_that_ends_ends_the_clock(open_page: OpenPage) -> None:
    kernel = Kernel(open_page, sample_report(2))
    page = kernel.page
    page.get_by_role("button", name="Warm reload", exact=True).click()
    page.get_by_role("button", name="Run again").click()
    page.get_by_text("Reloading in fresh processes").wait_for()
    page.evaluate("tell('comm_live_update')")
    page.get_by_text("The kernel is gone").wait_for()
    assert not page.get_by_text("Reloading in fresh processes").is_visible()
    assert page.get_by_role("button", name="Run again").is_enabled()
    page.locator(".fc-banner").wait_for()  # it is asked, and silent


def test_a_race_that_nobody_pressed_a_button_for_is_followed(open_page: OpenPage) -> None:
    kernel = Kernel(open_page, sample_report(2), Standing("running", (), 2, 9, "torch"))
    page = kernel.page
    page.get_by_role("button", name="Warm reload", exact=True).click()
    page.get_by_text("Reloading in fresh processes … 2 of about 9, torch").wait_for()
    bar = page.get_by_role("progressbar", name="Fresh processes")
    assert (bar.get_attribute("value"), bar.get_attribute("max")) == ("2", "9")
    assert page.get_by_role("button", name="Running …").is_disabled()
    page.evaluate("Object.assign(state.race, {done: 3, now: 'fx'}); tell('change:race')")
    page.get_by_text("Reloading in fresh processes … 3 of about 9, fx").wait_for()
    page.evaluate("state.race.state = 'done'; tell('change:race')")
    assert not bar.is_visible()
    assert page.get_by_role("button", name="Run again").is_enabled()


def test_a_notebook_saved_during_a_race_runs_none_when_it_is_opened(open_page: OpenPage) -> None:
    kernel = Kernel(open_page, sample_report(2), Standing("running", (), 2, 9, "torch"))
    page = kernel.page
    page.get_by_role("button", name="Warm reload", exact=True).click()
    page.get_by_role("progressbar", name="Fresh processes").wait_for(state="hidden")
    assert page.get_by_role("button", name="Run again").is_enabled()
