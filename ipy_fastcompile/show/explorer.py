"""Report -> the explorer widget: the overview as its state, everything else answered on demand."""

from __future__ import annotations

import dataclasses
import json
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import anywidget
import traitlets

from ..artifact.inert import inert, inert_lines
from ..errors import ModelGone
from ..records import ReloadRecord, Report
from .content import UnknownKey
from .facts import alarms, summary_line
from .frontend import module_source, style_source
from .overview import overview, reloads_data
from .program_contents import ProgramContents
from .programs import program_views

# A message of 300 kB takes 0.2 s from click to page, one of 1 MB three times that: larger answers
# travel in pieces. A piece of text grows by its escapes when it is sent.
PIECE = 200_000

Rerun = Callable[[bool], Sequence[ReloadRecord]]


class Explorer(anywidget.AnyWidget):
    """The explorer of a report, as one widget.

    Parameters
    ----------
    report:
        What a compile had to tell.
    rerun:
        Measures the reload paths again in fresh processes and returns the records; its argument
        says whether to do it as shipped, without compiler and Inductor cache. Without it, the
        explorer shows the report's own measurements only.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    data = traitlets.Dict().tag(sync=True)
    reloads: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
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

    def _reload(self, *, shipped: bool) -> None:
        if self._rerun is None:
            self.problem = _problem(
                "This explorer cannot measure", "It was made without a compile."
            )
            return
        self.problem = {}
        self.send({"type": "reload", "state": "running"})
        state = "failed"
        try:
            records = tuple(self._rerun(shipped))
            kept = [r for r in self._report.reloads if r.shipped != shipped]
            reloads = (*kept, *records)
            self._report = dataclasses.replace(self._report, reloads=reloads)
            self.reloads = reloads_data(reloads)
            state = "done"
        except ModelGone as error:
            self.problem = _problem("The model is gone", str(error))
        except Exception as error:
            # Shown where the reader looks, and raised where the kernel logs it.
            said = "".join(traceback.format_exception(error))
            self.problem = _problem("The warm reload failed", str(error), said)
            raise
        finally:
            self.send({"type": "reload", "state": state})


def _problem(title: str, text: str, detail: str = "") -> dict[str, str]:
    text, detail = inert_lines(text)[:2_000], inert_lines(detail)[-20_000:]
    return {"title": title, "text": text, "detail": detail}
