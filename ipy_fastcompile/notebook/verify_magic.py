"""``%fastcompile_verify`` -> an artifact checked as a machine without compiler would find it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.display import display

from ..errors import FastCompileError
from .arguments import check_name, read_words
from .options import VERIFY_OPTIONS, takes

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


@magics_class
class VerifyMagics(Magics):
    """The check before an artifact is shipped."""

    shell: InteractiveShell

    @line_magic
    @takes(VERIFY_OPTIONS)
    def fastcompile_verify(self, line: str) -> None:
        """Check that an artifact loads and computes without compiler and cache.

        It runs in processes of its own, with made-up parameters and inputs, and is compared with
        eager submodule by submodule. A line that fails is an error, so that a notebook stops.

        Examples::

            %fastcompile_verify llama.fastcompile
            %fastcompile_verify llama.fastcompile --sizes seq=2,64 -o report
        """
        words = read_words(line, VERIFY_OPTIONS, "fastcompile_verify")
        magic: Any = type(self).fastcompile_verify
        found = magic.parser.parse_args(words)
        if found.help:
            display({"text/plain": magic.__doc__}, raw=True)
            return
        if found.path is None:
            raise UsageError("The path of an artifact is needed: %fastcompile_verify PATH.")
        output = check_name(found.output)
        from ..verification.verify import read_sizes, verify

        try:
            report = verify(
                Path(found.path).expanduser(),
                reference=found.reference,
                write_reference=found.write_reference,
                sizes=read_sizes(found.sizes or ()),
                trust=found.trust,
            )
        except FastCompileError as error:
            raise UsageError(str(error)) from error
        display({"text/plain": str(report)}, raw=True)
        if output is not None:
            self.shell.push({output: report})
        if not report.passed:
            raise UsageError(f"{found.path} failed the verification above.")
