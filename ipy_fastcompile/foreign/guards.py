"""Dynamo's guards in a pickle -> lines: what must hold for a call to use the compiled code."""

from __future__ import annotations

from typing import Any

from .draft import Draft
from .origins import guard_source
from .stubs import brief, field, find, listed, name_of, walk


def read_guards(draft: Draft, state: Any, prefix: str = "") -> None:
    """Dynamo's guards: kind, place and expressions, as far as they are text in the pickle."""
    if isinstance(state, (bytes, bytearray)):
        inner = draft.budget.nested(state)
        if inner is None:
            draft.miss(f"{prefix}guards", "they are no pickle that could be read")
            return
        state = inner.value
    count = 0
    for guard in find(state, "Guard"):
        count += 1
        source = guard_source(field(guard, "originating_source"))
        kinds = field(guard, "guard_types")
        created = field(guard, "create_fn")
        codes = field(guard, "code_list")
        if not source and isinstance(guard.args, tuple) and guard.args:
            source = guard_source(guard.args[0])
        kind = (
            ", ".join(dict.fromkeys(listed(kinds).split(", ")))
            or name_of(created).rpartition(".")[2]
        )
        texts = codes if isinstance(codes, list) else []
        told = [t if isinstance(t, str) else brief(t, 300) for t in texts[:50]]
        shown = " and ".join(dict.fromkeys(told))
        draft.guard(f"{kind or 'guard'} on {source or '?'}{': ' + shown if shown else ''}")
    shapes = field(state, "shape_code_parts")
    for exprs in walk(shapes):
        if isinstance(exprs, str):
            draft.guard(exprs)
    known = [name_of(part).rpartition(".")[2] for part in find(state, "GuardsState")]
    if not count and known:
        draft.facts[f"{prefix}guards"] = "none were kept"
    elif not count and state is not None:
        draft.miss(f"{prefix}guards", "no guard in them has a form that is known")
