"""A body of HTML -> the document: one file that fetches nothing, in the reader's light or dark."""

from __future__ import annotations

from html import escape

from ..artifact.inert import inert

_DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; padding: 12px; background: Canvas; color: CanvasText;
  font-family: system-ui, sans-serif; }}
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def html_document(subject: str, body: str, *, policy: str = "", style: str = "") -> str:
    """The document about ``subject``.

    Its Content-Security-Policy allows the file's own styles, and what ``policy`` adds; ``style`` is
    CSS behind the document's own.
    """
    return _DOCUMENT.format(
        policy=escape(f"default-src 'none'; style-src 'unsafe-inline'; {policy}".rstrip("; ")),
        title=escape(f"{inert(subject)} - ipy_fastcompile"),
        style=style,
        body=body,
    )
