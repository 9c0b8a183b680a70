"""``%fastcompile_verify`` -> an artifact checked as a machine without compiler would find it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

from ..errors import FastCompileError
from .arguments import check_name, read_line
from .options import VERIFY_OPTIONS, takes
from .outputs import give, show_text

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
        found = read_line(type(self).fastcompile_verify, line, VERIFY_OPTIONS)
        if found is None:
            return
        if found.path is None:
            raise UsageError("The path of an artifact is needed: %fastcompile_verify PATH.")
        output = check_name(found.output)
        from ..verification.sizes import read_sizes
        from ..verification.verify import verify

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
        show_text(str(report))
        if output is not None:
            give(self.shell, report, output)
        if not report.passed:
            raise UsageError(f"{found.path} failed the verification above.")
