"""``%fastcompile_cache`` -> the cache, seen and cleaned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

from ..errors import ArtifactError, CacheError, KeyFileError
from .arguments import read_words
from .options import CACHE_OPTIONS, takes
from .outputs import show_text

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


@magics_class
class CacheMagics(Magics):
    """The cache of compiles."""

    shell: InteractiveShell

    @line_magic
    @takes(CACHE_OPTIONS)
    def fastcompile_cache(self, line: str) -> None:
        """List, explain and clean the cache of compiles.

        ``why`` says what keeps the newest entry, or that of KEY, from its nearest neighbour; keys
        may be given by their first digits.

        Examples::

            %fastcompile_cache ls
            %fastcompile_cache why
            %fastcompile_cache diff 3f2a 91c0
            %fastcompile_cache prune --cap 2GB
        """
        from ..cache.command import answer_words

        words = read_words(line, CACHE_OPTIONS, "fastcompile_cache")
        if {"-h", "--help"} & set(words):
            text = str(type(self).fastcompile_cache.__doc__)
        else:
            try:
                text = "\n".join(answer_words(words or ["ls"]))
            except (ArtifactError, CacheError, KeyFileError) as error:
                raise UsageError(str(error)) from error
        show_text(text)
