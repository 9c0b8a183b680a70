"""a module that is not imported -> what its files say, without importing it or any other.

The text of a module of the user's is read, and that of the modules it imports. What would run on
import is not run, so a text that may read the outside is not covered.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType

from . import home
from .chains import Chain, read_uses
from .environment import ENVIRONMENT
from .judge import is_pure, is_whole, not_known
from .pure import TELLTALE
from .walker import Walker


def describe_unimported(walker: Walker, name: str, path: str) -> None:
    """Cover the module by its text, or say why it is not covered."""
    _describe(walker, name, path, set())


def find_spec(name: str) -> ModuleSpec | None:
    """Where a module is, by the paths alone: no parent is imported for it."""
    places, spec = None, None
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:length]), places)
        if spec is None:
            return None
        if length < len(parts):
            if spec.submodule_search_locations is None:
                return None
            places = list(spec.submodule_search_locations)
    return spec


def _describe(walker: Walker, name: str, path: str, seen: set[str]) -> None:
    if name in seen:
        return
    seen.add(name)
    if home.top_level(name) in sys.stdlib_module_names:
        if not is_whole(name):
            walker.miss(path, not_known(name))
        return
    spec = find_spec(name)
    if spec is None:
        walker.line(f"{path}, import {name}", "not there")
        return
    origin = spec.origin or ""
    if not origin.endswith(".py") or home.home_of_file(origin, name).owner != home.USER:
        walker.miss(path, f"it imports {name}, which is not imported yet")
        return
    try:
        data = Path(origin).read_bytes()
        code = SourceFileLoader(name, origin).source_to_code(data, origin)
    except (OSError, ValueError, SyntaxError) as error:
        walker.miss(path, f"it imports {name}, which cannot be read ({type(error).__name__})")
        return
    walker.line(f"{path}, import {name}", f"not imported, sha256 {sha256(data).hexdigest()}")
    for why in _outside(code):
        walker.miss(f"{path}, import {name}", why)
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    for wanted in sorted(_imports(code, package)):
        if wanted in sys.modules and home.home_of_module(wanted).owner == home.USER:
            walker.miss(path, f"it imports {name}, which is not imported yet, and that {wanted}")
        elif home.home_of_module(wanted).owner == home.USER:
            _describe(walker, wanted, path, seen)


def _imports(code: CodeType, package: str) -> set[str]:
    found = set()
    for name, level in read_uses(code).imports:
        parents = package.split(".")[: len(package.split(".")) + 1 - level] if level else []
        found.add(".".join([*parents, name] if name else parents))
    return found


def _outside(code: CodeType) -> list[str]:
    """What the text uses that is not known to be pure, by its names alone."""
    uses, found = read_uses(code), []
    for chain in sorted(uses.chains):
        what = _outside_chain(chain)
        if what:
            found.append(not_known(what))
    found += [not_known(f"an attribute {n}") for n in sorted(uses.loose & (TELLTALE | ENVIRONMENT))]
    return found


def _outside_chain(chain: Chain) -> str:
    first, *rest = chain
    if not first.startswith("@"):
        return first if first in _READERS else ""
    level, _, module = first[1:].partition(":")
    top = home.top_level(module)
    if level != "0" or not (top in sys.stdlib_module_names or top in ("torch", "numpy")):
        return ""
    if is_whole(module) or (not rest and module in ("torch", "numpy")):
        return ""
    name = ".".join([module, *rest])
    if rest and (is_pure(module, rest[0]) or is_pure(".".join([module, *rest[:-1]]), rest[-1])):
        return ""
    return (
        ""
        if is_whole(name) or any(is_whole(".".join([module, *rest[:n]])) for n in (1, 2))
        else name
    )


_READERS = frozenset(
    ("open", "input", "eval", "exec", "compile", "__import__", "globals", "id", "hash")
)
