"""Report -> one HTML file with the explorer in it: no network, no server, all content embedded."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..records import Report
from .document import html_document
from .frontend import script_source, style_source
from .html import render_html
from .overview import overview, race_data, reloads_data
from .program_contents import ProgramContents
from .programs import program_views

# The page stays below 5 MB: content past this is left out, and the page says so when asked for it.
EMBEDDED_LIMIT = 4_400_000

# Beside styles, scripts and images of the file itself; nothing may be fetched.
_POLICY = "script-src 'unsafe-inline'; img-src data:"

# As high as the window, where it is wide enough for the panes to lie side by side.
_PANES = (
    "@media (min-width: 1100px) { main .fc-panes { height: max(440px, calc(100vh - 190px)); }\n"
    "main .fc-programs .fc-panes { height: max(440px, calc(100vh - 280px)); } }\n"
)
_BODY = """<main></main>
<noscript>{static}</noscript>
<script type="application/json" class="fc-data">{data}</script>
<script type="module">
{script}
{boot}
</script>"""

# A model that answers from the page, with the few methods of AFM's that the front end uses.
_BOOT = """
const embedded = JSON.parse(document.querySelector(".fc-data").textContent);
const listeners = new Set();
const model = {
  get: (name) => embedded.state[name],
  on: (name, act) => name === "msg:custom" && listeners.add(act),
  off: (name, act) => listeners.delete(act),
  send: (message) => queueMicrotask(() => {
    const body = embedded.contents[message.key];
    const error = body === undefined ? embedded.missing : "";
    const answer = { type: "answer", id: message.id, part: 0, parts: 1, body, error };
    for (const listener of [...listeners]) listener(answer);
  }),
};
render({ model, el: document.querySelector("main") });
"""


def render_page(report: Report) -> str:
    """The page as text. Every string of the report is data in it, never markup or script."""
    contents = ProgramContents(program_views(report))
    data = overview(report, contents, can_rerun=False)
    embedded = embed_contents(contents, set(data["start"]))
    state = {
        "data": data,
        "reloads": reloads_data(report.reloads),
        "race": race_data(None, report.reloads),
        "problem": {},
    }
    missing = "This part was too large for the page; the explorer in the notebook has it."
    body = _BODY.format(
        static=render_html(report),
        data=_script_json({"state": state, "contents": embedded, "missing": missing}),
        script=script_source(),
        boot=_BOOT,
    )
    return html_document(report.model, body, policy=_POLICY, style=_PANES + style_source())


def write_page(report: Report, path: str | os.PathLike[str]) -> None:
    """Write the page to ``path``; what was there before is replaced."""
    Path(path).write_text(render_page(report), "utf-8")


def embed_contents(contents: ProgramContents, known: set[str]) -> dict[str, str]:
    """JSON text of every content by key, in the order of the reader's interest, up to the limit."""
    embedded: dict[str, str] = {}
    left = EMBEDDED_LIMIT
    for key in (*contents.keys(), *contents.texts()):
        if key in known:
            continue
        body = json.dumps(contents.answer(key), ensure_ascii=False, separators=(",", ":"))
        left -= len(body.encode())
        if left < 0:
            break
        embedded[key] = body
    return embedded


def _script_json(data: Any) -> str:
    """JSON that no HTML parser takes for markup: no tag, no comment, no line separator in it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
