"""Report -> the explorer widget: the overview as its state, everything else answered on demand."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from ..artifact.inert import inert, inert_lines
from ..errors import ModelGone
from ..records import Report, Standing
from .content import UnknownKey
from .facts import alarms, summary_line
from .frontend import module_source, style_source
from .overview import overview, race_data, reloads_data
from .program_contents import ProgramContents
from .programs import program_views

# A message of 300 kB takes 0.2 s from click to page, one of 1 MB three times that: larger answers
# travel in pieces. A piece of text grows by its escapes when it is sent.
PIECE = 200_000

# Begins a race, as shipped or not, whose standings are told; it goes on in another thread.
Rerun = Callable[[bool, Callable[[Standing], None]], object]


class Explorer(anywidget.AnyWidget):
    """The explorer of a report, as one widget.

    Parameters
    ----------
    report:
        What a compile had to tell.
    rerun:
        Begins to measure the reload paths again, in fresh processes; its first argument says
        whether to do it as shipped, without compiler and Inductor cache, and the second is to be
        told of each `Standing`. Without it, the explorer shows the report's own measurements only.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    data = traitlets.Dict().tag(sync=True)
    reloads: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    race = traitlets.Dict().tag(sync=True)
    problem = traitlets.Dict().tag(sync=True)

    def __init__(self, report: Report, rerun: Rerun | None = None) -> None:
        self._report = report
        self._contents = ProgramContents(program_views(report))
        self._rerun = rerun
        super().__init__(
            _esm=module_source(),
            _css=style_source(),
            data=overview(report, self._contents, can_rerun=rerun is not None),
            reloads=reloads_data(report.reloads),
            race=race_data(None, report.reloads),
        )
        self.on_msg(self._on_message)

    @property
    def report(self) -> Report:
        """The report that is shown, with the latest measurements of the reload paths."""
        return self._report

    def __repr__(self) -> str:
        # What an untrusted notebook and a terminal show in place of the widget.
        return "\n".join([*alarms(self._report), f"Explorer of {summary_line(self._report)}"])

    def _on_message(self, _: Any, message: Any, __: Any) -> None:
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "ask":
            self._answer(str(message.get("id", "")), str(message.get("key", "")))
        elif kind == "reload":
            self._reload(shipped=bool(message.get("shipped")))

    def _answer(self, request: str, key: str) -> None:
        try:
            content = self._contents.answer(key)
        except UnknownKey as error:
            self.send({"type": "answer", "id": request, "error": inert(str(error))})
            return
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        pieces = [body[at : at + PIECE] for at in range(0, len(body), PIECE)]
        for number, piece in enumerate(pieces):
            answer = {"type": "answer", "id": request, "part": number, "parts": len(pieces)}
            self.send({**answer, "body": piece})

    def show_race(self, standing: Standing) -> None:
        """Show how far a race of the report's reload paths is, from whatever thread it tells.

        One that ends before its time leaves what was measured before, where there is something.
        """
        raced = self._report.with_reloads(standing.reloads)
        if standing.state == "done":
            self._report = raced
        is_over = standing.state in ("stopped", "failed")
        known = any(record.shipped == standing.shipped for record in self._report.reloads)
        records = self._report.reloads if is_over and known else raced.reloads
        before = self.race["state"]
        self.race = race_data(standing, records)
        self.reloads = reloads_data(records)
        if standing.state == "stopped":
            text = f"It was stopped after {standing.done} processes: {standing.problem}."
            self.problem = _problem("The warm reload is not complete", text)
        elif standing.state == "failed":
            self.problem = _problem("The warm reload failed", standing.problem, standing.detail)
        elif before != "running":
            self.problem = {}
        if standing.state != before:
            self.send({"type": "reload", "state": standing.state})

    def _reload(self, *, shipped: bool) -> None:
        if self._rerun is None:
            self.problem = _problem(
                "This explorer cannot measure", "It was made without a compile."
            )
            return
        try:
            self._rerun(shipped, self.show_race)
        except ModelGone as error:
            self._refuse("The model is gone", str(error))
        except Exception as error:
            # Shown where the reader looks, and raised where the kernel logs it.
            said = "".join(traceback.format_exception(error))
            self._refuse("The warm reload failed", str(error), said)
            raise

    def _refuse(self, title: str, text: str, detail: str = "") -> None:
        self.problem = _problem(title, text, detail)
        self.send({"type": "reload", "state": "failed"})


def _problem(title: str, text: str, detail: str = "") -> dict[str, str]:
    text, detail = inert_lines(text)[:2_000], inert_lines(detail)[-20_000:]
    return {"title": title, "text": text, "detail": detail}
