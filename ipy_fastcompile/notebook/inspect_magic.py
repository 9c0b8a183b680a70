"""``%fastcompile_inspect`` -> what is in an artifact, or how two differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.display import display

from .arguments import check_name, read_line
from .mistakes import told_in_a_sentence
from .options import INSPECT_OPTIONS, takes
from .outputs import give, show_text

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


@magics_class
class InspectMagics(Magics):
    """A look into a file, without loading it."""

    shell: InteractiveShell

    @line_magic
    @takes(INSPECT_OPTIONS)
    def fastcompile_inspect(self, line: str) -> None:
        """Show what is in an artifact, or how two differ. Nothing in them is run or unpickled.

        Ours, or somebody else's: a file of ``aot_compile``, ``standalone_compile``, AOTInductor,
        ``torch.export`` or ``torch.compiler.precompile``, a Mega-Cache, a folder of Inductor's or
        vLLM's cache, or any pickle.

        Examples::

            %fastcompile_inspect llama.fastcompile
            %fastcompile_inspect yesterday.fastcompile today.fastcompile
            %fastcompile_inspect llama.fastcompile llama.pt2
        """
        found = read_line(type(self).fastcompile_inspect, line, INSPECT_OPTIONS)
        if found is None:
            return
        if found.path is None:
            raise UsageError("The path of an artifact is needed: %fastcompile_inspect PATH.")
        output = check_name(found.output)
        with told_in_a_sentence():
            info = _look_into(found.path, found.other)
        if hasattr(info, "_repr_mimebundle_"):
            display(info._repr_mimebundle_(), raw=True)
        else:
            show_text(str(info))
        if output is not None:
            give(self.shell, info, output)


def _look_into(path: str, other: str | None) -> Any:
    from ..comparing.compare import compare
    from ..foreign.inspect import inspect

    first = Path(path).expanduser()
    return inspect(first) if other is None else compare(first, Path(other).expanduser())
