"""torch.export's text about violated constraints -> the dimension, the reason and the way out."""

from __future__ import annotations

import re


def explain_constraints(text: str, model: str) -> tuple[str, str]:
    """What was asked that cannot be, and what to write instead."""
    names = dict(re.findall(r"(L\[.+?\]\.size\(\)\[\d+\]) = (\w+)", text))
    names |= {size: name for name, size in re.findall(r"(\w+) = (L\[.+?\]\.size\(\)\[\d+\])", text)}
    lines = [part.strip(" -") for part in text.splitlines() if part.strip(" -")]
    telling = [p for p in lines if "speciali" in p or "satisfy" in p or "valid" in p]
    fact = (telling or lines)[0]
    for size, name in names.items():
        fact = fact.replace(f"{name} = {size}", name).replace(size, name)
    fact = re.sub(r"L\['(\w+)'\](\[[^]]*\])*\.size\(\)\[(\d+)\]", r"dimension \3 of \1", fact)
    constant = re.search(r"marked (.+?) as dynamic but .*?constant \((\d+)\)", fact)
    if constant:
        what = (
            f"A dimension of {model} cannot be dynamic: the model works with {constant[1]} = "
            f"{constant[2]} only."
        )
        return what, "Leave it out of `dynamic`, or change what fixes it in the model."
    what = f"A dynamic dimension of {model} cannot be dynamic as asked: {fact:.300}"
    return what.rstrip(".") + ".", _way_out(text)


def _way_out(text: str) -> str:
    """The fixes that export suggests, as `dynamic` takes them."""
    fixes = text.partition("Suggested fixes:")[2]
    for name, low, high in re.findall(
        r"(?m)^\s*(\w+) = Dim\('\w+'(?:, min=(\d+))?(?:, max=(\d+))?\)", fixes
    ):
        if (low or high) and not name.startswith("_"):
            return f'Write ("{name}", {low or None}, {high or None}) in `dynamic`.'
    derived = re.search(r"(?m)^\s*(\w+) = (\d+)\*_?(\w+)\s*$", fixes)
    if derived:
        name, factor = derived[1], derived[2]
        return (
            f'It must be a multiple of {factor}: write {factor}*torch.export.Dim("{name}_") in '
            "`dynamic`."
        )
    equal = re.search(r"(?m)^\s*(\w+) = ([A-Za-z]\w*)\s*$", fixes)
    if equal:
        return f"Give {equal[1]} and {equal[2]} one name in `dynamic`: they must be equal."
    constant = re.search(r"(?m)^\s*(\w+) = (\d+)\s*$", fixes)
    if constant:
        return f"Leave {constant[1]} out of `dynamic`: it is {constant[2]} in this model."
    return "Change its range or leave it out of `dynamic`."
