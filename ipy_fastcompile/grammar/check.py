"""generated text -> its syntax tree, or a GrammarError: only what generators write gets through.

There are two grammars: a strict one for execution code, which this package writes (`execution`),
and a wider one for kernels, which Inductor wrote (`kernel`). Whoever writes a text checks it, and
so does whoever shows it. A load does not: there signature and digests decide, for what is signed
has machine code beside its texts.
"""

from __future__ import annotations

import ast

from ..errors import GrammarError
from . import execution, kernel as kernels
from .terms import Refused


def check_grammar(text: str, filename: str, *, kernel: bool = False) -> ast.Module:
    """Parse generated text and check every node of its syntax tree.

    Parameters
    ----------
    filename:
        What the error calls the text.
    kernel:
        Whether the text is a kernel's, which may also branch and loop.

    Raises `GrammarError` naming the line that holds something the generator never writes.
    """
    try:
        tree = ast.parse(text, filename)
        if kernel:
            kernels.check_module(tree)
        else:
            execution.check_module(tree)
    except Refused as refused:
        raise GrammarError(
            f"{filename}, line {refused.line}: {refused.what} is never generated.",
            "The text was edited, or its generator is wrong; compile the model again.",
            line=refused.line,
        ) from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise GrammarError(
            f"{filename} is not valid Python: {error}.", "Compile the model again."
        ) from error
    return tree
