"""Cursor in a magic's line -> the options, values and names that fit there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from .options import Option, flags_of


def option_matcher(
    magics: Mapping[str, Sequence[Option]], names: Callable[[], Iterable[str]]
) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """A matcher for ``ip.Completer.custom_matchers`` that knows the options of ``magics``.

    ``names`` gives those of the user's namespace: IPython itself completes none after a magic.
    """

    @context_matcher(identifier="fastcompile_options")  # type: ignore[untyped-decorator]
    def match_options(context: CompletionContext) -> SimpleMatcherResult:
        text = context.text_until_cursor
        texts = complete_option(text, magics, names())
        return {
            "completions": [SimpleCompletion(text=text, type="param") for text in texts],
            "matched_fragment": _last_word(text),
            # A dash starts no Python name: what the other matchers offer there is noise.
            "suppress": any(text.startswith("-") for text in texts),
            "do_not_suppress": set(),
            "ordered": True,
        }

    matcher: Callable[[CompletionContext], SimpleMatcherResult] = match_options
    return matcher


def complete_option(
    text: str, magics: Mapping[str, Sequence[Option]], names: Iterable[str] = ()
) -> list[str]:
    """What may follow ``text``, a line up to the cursor, as replacements of its last word."""
    first, *words = text.split() or [""]
    options = magics.get(first.lstrip("%")) if first.startswith("%") else None
    if options is None or not (words or text[-1:].isspace()):
        return []
    last = _last_word(text)
    before = words[:-1] if last else words
    known = flags_of(options)
    previous = known.get(before[-1]) if before else None
    if previous is not None and previous.takes_value:
        if previous.names_a_model:
            return sorted(name for name in names if name.startswith(last))
        return [str(c) for c in previous.settings.get("choices", ()) if str(c).startswith(last)]
    if last.startswith("-"):
        once = {
            flag
            for option in options
            if option.settings.get("action") != "append" and set(option.flags) & set(before)
            for flag in option.flags
        }
        return sorted(flag for flag in known if flag.startswith(last) and flag not in once)
    if last and any(option.names_a_model for option in options):
        return sorted(name for name in names if name.startswith(last))
    return []


def _last_word(text: str) -> str:
    return "" if not text or text[-1].isspace() else text.rsplit(maxsplit=1)[-1]
