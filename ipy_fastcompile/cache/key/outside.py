"""a function -> what it takes from modules: known to be pure, put into the key, or not covered.

What the code of the user or of a package calls by a dotted name is looked up as the call would.
"""

from __future__ import annotations

import builtins
import sys
import types
from typing import Any

import torch

from ...torch_compat import ops
from . import home, judge, pure
from .chains import Chain, Uses, nested, read_uses
from .environment import ENVIRONMENT, variables
from .walker import Follower

ABSENT = object()
_FIXED = (int, float, complex, bool, str, bytes, type(None), torch.dtype)
_SHOWS = frozenset({"write", "flush", "writelines"})
# What a `__hash__` may use: nothing but a dict or a set asks it, and the order of sets is not
# covered. Whoever asks it by name is not covered either.
_HASHES = (hash, id)


def look_at(
    walk: Follower, function: types.FunctionType, uses: Uses, path: str, *, is_user: bool
) -> None:
    """Follow every dotted name in the code of a function, and what it says about the rest."""
    for chain in sorted(uses.chains):
        _look_at_chain(walk, function, uses, chain, path, is_user=is_user)
    if not is_user:
        return
    telltale = pure.TELLTALE - {function.__name__} if _is_hash(function) else pure.TELLTALE
    for name in sorted(uses.loose & (telltale | ENVIRONMENT)):
        walk.miss(path, judge.not_known(f"an attribute {name}"))
    if ("warnings", "catch_warnings") in uses.chains and _records(function.__code__):
        walk.miss(path, "it counts warnings, which depend on filters that are not in the key")
    if uses.makes_sets:
        walk.miss(path, "it makes a set, whose order is another one in every process")


def _is_hash(function: types.FunctionType) -> bool:
    return function.__name__ == "__hash__"


def _records(code: types.CodeType) -> bool:
    tuples = [c for part in nested(code) for c in part.co_consts if isinstance(c, tuple)]
    return any("record" in names for names in tuples)


def find(chain: Chain, scope: dict[str, Any]) -> tuple[Any, types.ModuleType | None, str, Chain]:
    """(value, the module it was taken from, its name there, the attributes that follow)."""
    name, *rest = chain
    if name.startswith("@"):
        value: Any = sys.modules.get(module_name(name, scope), ABSENT)
    else:
        value = scope.get(name, ABSENT)
        if value is ABSENT:
            value = vars(builtins).get(name, ABSENT)
    module = None
    while rest and isinstance(value, types.ModuleType) and not ops.is_op_library(value):
        module, name = value, rest.pop(0)
        value = attribute(module, name)
        if value is ABSENT:
            value = sys.modules.get(f"{module.__name__}.{name}", ABSENT)
    return value, module, name, tuple(rest)


def is_closed(function: Any, depth: int = 5) -> bool:
    """Whether a function reads nothing but its arguments, their attributes neither."""
    function = getattr(function, "__wrapped__", function)
    if not isinstance(function, types.FunctionType):
        return judge.identity(function) is not None and not judge.why_impure(function)
    if judge.identity(function) is not None:
        return not judge.why_impure(function)
    uses = read_uses(function.__code__)
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    if uses.loose or not depth or not all(isinstance(c, _FIXED) for c in cells):
        return False
    found = [find(chain, function.__globals__) for chain in uses.chains]
    return all(
        not rest and (isinstance(value, torch.dtype) or is_closed(value, depth - 1))
        for value, _, _, rest in found
    )


def module_name(imported: str, scope: dict[str, Any]) -> str:
    """The full name of what a statement imports, written ``@<level>:<name>``."""
    level, _, name = imported[1:].partition(":")
    if level == "0":
        return name
    package = str(scope.get("__package__") or "").split(".")
    parents = package[: len(package) + 1 - int(level)]
    return ".".join([*parents, name] if name else parents)


def attribute(module: types.ModuleType, name: str) -> Any:
    """What ``module.name`` is, if that takes neither an import nor anybody's code."""
    if name in vars(module):
        return vars(module)[name]
    if module.__name__.startswith("torch.backends"):
        return getattr(module, name, ABSENT)  # flags, kept by properties of the module
    return ABSENT


def _look_at_chain(
    walk: Follower,
    function: types.FunctionType,
    uses: Uses,
    chain: Chain,
    path: str,
    *,
    is_user: bool,
) -> None:
    scope = function.__globals__
    value, module, name, rest = find(chain, scope)
    if value is ABSENT:
        if module is not None:
            _look_at_absent(walk, module, name, path, is_user=is_user)
        elif name.startswith("@") and is_user:
            walk.absent(module_name(name, scope), path)
        return
    names, why = variables(value, rest, uses.words.get(chain, {None}))
    if names or why:
        walk.environment.update(names)
        if why and is_user:
            walk.miss(path, why)
        return
    if isinstance(value, types.ModuleType):
        if ops.is_op_library(value):
            for packet in ops.mentioned_ops(rest):
                walk.take_foreign(f"torch.ops.{ops.op_name(packet)}", packet)
        elif is_user:
            walk.hold(value)
        elif not judge.is_judged(value.__name__):
            _take_mentioned(walk, value, uses)
        return
    if not (_is_hash(function) and any(value is allowed for allowed in _HASHES)):
        _judge(walk, module, name, value, rest, path, is_user=is_user)
    if module is None and vars(builtins).get(chain[0]) is value and chain[0] not in scope:
        module = builtins
    if module is not None and not _is_bound(module, value):
        _take(walk, module, name, value, is_user=is_user)


def _take_mentioned(walk: Follower, module: types.ModuleType, uses: Uses) -> None:
    """Package code has a module as a value: what it mentions may be of that."""
    for name in sorted(uses.loose):
        value = attribute(module, name)
        if value is not ABSENT and not isinstance(value, types.ModuleType):
            walk.take(module, name, value)


def _is_bound(module: types.ModuleType, value: Any) -> bool:
    """Whether a library's function is a method of an object that it keeps to itself."""
    owner = getattr(value, "__self__", None)
    return judge.is_judged(module.__name__) and not (
        owner is None or isinstance(owner, (types.ModuleType, type)) or judge.identity(value)
    )


def _judge(
    walk: Follower,
    module: types.ModuleType | None,
    name: str,
    value: Any,
    rest: Chain,
    path: str,
    *,
    is_user: bool,
) -> None:
    if not is_user:
        walk.judge(path, value)
        return
    asked = judge.answer(value)
    if asked:
        walk.ask(asked, value)
    why = judge.why_impure(value)
    if module is not None and _is_bound(module, value):
        why = judge.not_known(f"{module.__name__}.{name}")
    cls = value if isinstance(value, type) else type(value)
    walk.use(rest)
    made = judge.made_by(value)
    if made is not None:
        walk.deny(path, made)  # what it makes has members, too
    if module is sys and name in ("stdout", "stderr") and not _SHOWS.issuperset(rest[:1]):
        why = judge.not_known(f"sys.{name}.{rest[0]}")
    elif module is not None and name in pure.READERS and not judge.is_judged(module.__name__):
        if home.home_of_module(module.__name__).owner == home.PACKAGE:
            why = why or judge.not_known(f"{module.__name__}.{name}")
    for telltale in sorted(pure.TELLTALE.intersection(rest)):
        why = why or judge.not_known(f"an attribute {telltale}")
    if rest and rest[0] in judge.denied_members(cls):
        why = why or judge.not_known(f"{cls.__module__}.{cls.__qualname__}.{rest[0]}")
    if why:
        walk.miss(path, why)


def _take(
    walk: Follower, module: types.ModuleType, name: str, value: Any, *, is_user: bool
) -> None:
    """Describe ``module.name``, unless the library's version says all about it."""
    if not judge.is_judged(module.__name__):
        walk.take(module, name, value)
        return
    walk.count(module)
    identity = judge.identity(value)
    where = f"{module.__name__}.{name}"
    if module is sys and name in pure.NAMES["sys"]:
        return
    if identity is None:
        is_code = isinstance(value, (types.FunctionType, type))
        if is_code or is_user:
            walk.take_foreign(where, value)
    elif identity[1].rpartition(".")[2] != name:
        walk.take_foreign(where, ".".join(identity))  # an alias, or something put in its place


def _look_at_absent(
    walk: Follower, module: types.ModuleType, name: str, path: str, *, is_user: bool
) -> None:
    """A module has no such name, or makes it up when it is asked for it."""
    made = vars(module).get("__getattr__", ABSENT)
    if judge.is_judged(module.__name__):
        lazy = is_user and (made is not ABSENT or type(module) is not types.ModuleType)
        if lazy and not judge.is_pure(f"{module.__name__}.{name}", "anything"):
            walk.miss(path, judge.not_known(f"{module.__name__}.{name}"))
    elif made is not ABSENT:
        walk.take(module, "__getattr__", made)
    elif type(module) is not types.ModuleType and is_user:
        if "__getattr__" in {n for cls in type(module).__mro__[:-2] for n in vars(cls)}:
            walk.miss(path, f"{module.__name__}.{name} is not loaded yet")
