"""Shell -> the same with the magics: what ``%load_ext ipy_fastcompile`` adds, and takes away again.

Nothing here needs torch: a magic imports it when it has something to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cache_magic import CacheMagics
from .compile_magic import FastCompileMagics
from .inspect_magic import InspectMagics
from .load_magic import LoadMagics
from .options import OPTIONS
from .verify_magic import VerifyMagics

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

OTHER_MAGICS = (LoadMagics, InspectMagics, CacheMagics, VerifyMagics)


def register(ipython: InteractiveShell) -> FastCompileMagics:
    """Add the magics and their completion to a shell."""
    magics = FastCompileMagics(ipython)
    ipython.register_magics(magics, *(kind(ipython) for kind in OTHER_MAGICS))
    ipython.Completer.custom_matchers.append(magics.matcher)
    ipython.input_transformers_post.append(magics.await_magics)
    return magics


def unregister(ipython: InteractiveShell) -> None:
    """Take away what `register` added, with explorers that are open and a race that runs."""
    magics = ipython.magics_manager.registry.pop(FastCompileMagics.__name__, None)
    if magics is None:
        return
    for kind in ipython.magics_manager.magics.values():
        for name in OPTIONS:
            kind.pop(name, None)
    ipython.Completer.custom_matchers.remove(magics.matcher)
    ipython.input_transformers_post.remove(magics.await_magics)
    ipython.configurables.remove(magics)
    for other in OTHER_MAGICS:
        ipython.configurables.remove(ipython.magics_manager.registry.pop(other.__name__))
    magics.races.close()
    for widget in magics.explorers.values():
        widget.close()
