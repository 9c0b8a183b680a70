"""static/*.js, *.css -> one module, one sheet: the same front end for widget and offline page.

The files are plain modules that an editor checks (`// @ts-check`). A widget takes one text, so they
are put one after the other, without their imports of each other; no bundler, no build.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_STATIC = Path(__file__).parent / "static"
# Each file after those it imports from.
MODULES = (
    "dom",
    "host",
    "store",
    "context",
    "rows",
    "slot",
    "tabs",
    "silhouette",
    "folds",
    "code",
    "list",
    "nodes",
    "camera",
    "near",
    "picture",
    "middle",
    "tables",
    "grid",
    "passes",
    "relate",
    "fusion",
    "detail",
    "programs",
    "bar",
    "reload",
    "explorer",
)
# Each sheet after those it overrules.
SHEETS = (
    "explorer",
    "bar",
    "drawers",
    "panes",
    "programs",
    "rows",
    "code",
    "picture",
    "sizes",
)
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./\w+\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class)\b)", re.MULTILINE)
# Comments are for those who read the files; a notebook that saves the widget saves its source.
_COMMENT = re.compile(r"^ *(?:/\*\*(?:[^*]|\*(?!/))*\*/|//[^\n]*)\n", re.MULTILINE)
_ENTRY = "export default { render };\n"


@cache
def module_source() -> str:
    """The front end as one module whose default export is AFM's ``{ render }``."""
    parts = []
    for name in MODULES:
        text = _COMMENT.sub("", (_STATIC / f"{name}.js").read_text("utf-8"))
        text = _IMPORT.sub("", text)
        parts.append(_EXPORT.sub("", text))
    return "\n".join(parts)


@cache
def script_source() -> str:
    """The same without the export, to be followed by code of the same page that calls `render`."""
    return module_source().removesuffix(_ENTRY)


@cache
def style_source() -> str:
    """The style sheets as one."""
    return "\n".join((_STATIC / f"{name}.css").read_text("utf-8") for name in SHEETS)
