"""A shell in which nothing can be loaded -> what ``%fastcompile_inspect`` shows of each path.

One cell opens all of them. torch cannot be imported, unpickling and executing raise and leave the
canary file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from tests.unit.foreign.fuzz_child import forbid


def main(canary: Path, paths: list[str]) -> None:
    """The child's part."""
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "ipy_fastcompile")
    # What IPython and the page need is imported by the first look, before the ban.
    with capture_output():
        shell.run_line_magic("fastcompile_inspect", paths[0])
    forbid(canary)
    with capture_output() as shown:
        shell.run_cell("\n".join(f"%fastcompile_inspect {path}" for path in paths)).raise_error()
    for path, output in zip(paths, shown.outputs, strict=True):
        kinds = sorted(output.data)
        print(json.dumps([path, kinds, output.data["text/plain"]]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
