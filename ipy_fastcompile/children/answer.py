"""a function of a request -> its result as a line of JSON: the child's side of `ask`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from .lifeline import end_with_asker

_LONGEST_ERROR = 600


def answer(main: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Print what ``main`` makes of the request in ``argv``, or its error, as a line of JSON.

    Behind the request is the pipe that ends this process with the one that asked, where there is
    one.
    """
    for descriptor in sys.argv[2:3]:
        end_with_asker(int(descriptor))
    try:
        result = main(json.loads(sys.argv[1]))
    except Exception as error:  # noqa: BLE001 - the parent shows it, whatever it is
        result = {"error": error_text(error)}
    # What was printed before may have left its line open.
    sys.stdout.write(f"\n{json.dumps(result)}\n")


def error_text(error: BaseException) -> str:
    """One line: ``InvalidCxxCompiler: No working C++ compiler ...``."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:_LONGEST_ERROR]
