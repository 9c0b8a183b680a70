"""``%fastcompile_load`` -> an artifact as a callable, with the weights of a model that is there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

from ..interrupts import interrupts_deferred
from .arguments import check_name, near, read_line
from .intercept import MISSING, look_up, split_name
from .mistakes import told_in_a_sentence
from .options import LOAD_OPTIONS, takes
from .outputs import give, show_text

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


@magics_class
class LoadMagics(Magics):
    """The warm reload."""

    shell: InteractiveShell

    @line_magic
    @takes(LOAD_OPTIONS)
    def fastcompile_load(self, line: str) -> Any:
        """Load an artifact; the weights come from MODEL, by parameter name.

        The callable is the value of the line, or is stored with ``-o``.

        Examples::

            fn = %fastcompile_load llama.fastcompile model
            %fastcompile_load llama.fastcompile model -o fn --via torch
        """
        found = read_line(type(self).fastcompile_load, line, LOAD_OPTIONS)
        if found is None:
            return None
        if found.path is None or found.model is None:
            raise UsageError("Two things are needed: %fastcompile_load PATH MODEL.")
        output = check_name(found.output)
        model = look_up(self.shell.user_ns, split_name(found.model))
        if model is MISSING:
            hint = near(found.model, self.shell.user_ns)
            raise UsageError(f"There is no {found.model} to take the weights from.{hint}")
        with told_in_a_sentence():
            with interrupts_deferred():
                from ..runtime.load import load
            started = time.perf_counter()
            loaded = load(
                Path(found.path).expanduser(),
                model,
                via=found.via,
                trust=found.trust,
                on_mismatch=found.on_mismatch,
            )
            seconds = time.perf_counter() - started
        head = f"{found.path}: loaded along the {found.via} path in {1000 * seconds:.1f} ms"
        show_text("\n".join([head, *_programs_of(loaded)]))
        return give(self.shell, loaded, output)


def _programs_of(loaded: Any) -> Iterator[str]:
    """Each of several programs on a line, with what it takes."""
    if len(loaded.programs) == 1:
        return
    yield f"{len(loaded.programs)} programs; a call runs the one that it fits:"
    width = max(map(len, loaded.programs))
    for name, program in loaded.programs.items():
        yield f"  {name:{width}}  {program.takes}"
