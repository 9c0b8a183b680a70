"""names in the user's code -> whether it reads what no key can hold: files, clocks, dice.

What is not known to be harmless counts as outside: the compile is then not cached, and says why.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import textwrap
from collections.abc import Collection

from .key_code import Mentions, word_set

# Modules of the standard library whose results depend on their arguments alone, or only show.
_PURE = word_set(
    """
    __future__ _abc _collections _collections_abc _functools _operator _typing _weakref abc
    array bisect builtins cmath collections colorsys contextlib contextvars copy copyreg
    dataclasses decimal difflib enum fractions functools graphlib hashlib heapq inspect
    itertools json keyword logging math numbers operator os pprint re reprlib string
    struct sys textwrap threading traceback types typing unicodedata warnings weakref zlib
    """
)
_BUILTINS = word_set("open input eval exec compile __import__ globals breakpoint")
# Of the modules that are not pure as a whole, what is; the environment is a component.
_PURE_NAMES = {
    "os": word_set(
        """
        path environ getenv sep linesep name fspath PathLike join split splitext basename
        dirname normpath commonpath isabs get
        """
    ),
    "posixpath": word_set("join split splitext basename dirname normpath commonpath isabs"),
    "sys": word_set(
        """
        version version_info maxsize platform byteorder float_info int_info implementation
        hexversion stdout stderr
        """
    ),
}
# Names under which packages read files or roll dice.
_READERS = word_set(
    """
    load loads open fromfile memmap loadtxt genfromtxt load_file safe_open read_csv
    read_parquet read_pickle from_file imread urlopen random default_rng
    load_state_dict_from_url
    """
)
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_ATTRIBUTE_LOOKUPS = word_set("getattr hasattr setattr")
_LOOKUPS = word_set("getattr hasattr vars dir globals __dict__ attrgetter methodcaller")


def outside_builtin(name: str) -> str:
    """Why a builtin reads something outside of the key, "" when it does not."""
    return f"it calls {name}, and what that reads is not in the key" if name in _BUILTINS else ""


def outside_module(module: str, names: Collection[str] = ()) -> str:
    """Why using these names of a module reads something outside of the key, else ""."""
    top = module.partition(".")[0]
    if module in _PURE_NAMES:
        public = {*os.__all__, *os.path.__all__} if module == "os" else dir(sys.modules[module])
        others = [n for n in names if n in public and n not in _PURE_NAMES[module]]
        return f"it uses {module}.{others[0]}, which is not in the key" if others else ""
    if top in sys.stdlib_module_names:
        return "" if top in _PURE else f"it uses {module}, whose answers are not in the key"
    known = vars(sys.modules[module]) if module in sys.modules else {}
    readers = [name for name in names if name in _READERS and name in known]
    return f"it may use {module}.{readers[0]}, which is not in the key" if readers else ""


def makes_up_names(mentions: Mentions, source: str) -> bool:
    """Whether code looks things up under names that it makes up while it runs.

    ``getattr(x, "name")`` does not, and whoever wrote the text of that is taken at his word.
    """
    if not _LOOKUPS.intersection(mentions.names):
        return False
    _, _, text = source.partition("\n")
    try:
        tree = ast.parse(textwrap.dedent(text))
    except SyntaxError:
        return True
    looked_up = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    constant = {
        id(call.func)
        for call in looked_up
        if isinstance(call.func, ast.Name)
        and call.func.id in _ATTRIBUTE_LOOKUPS
        and len(call.args) > 1
        and isinstance(call.args[1], ast.Constant)
    }
    names = [node for node in ast.walk(tree) if isinstance(node, (ast.Name, ast.Attribute))]
    return not names or any(
        id(node) not in constant
        for node in names
        if (node.id if isinstance(node, ast.Name) else node.attr) in _LOOKUPS
    )


def environment_names(mentions: Mentions) -> tuple[str, ...]:
    """The environment variables that code reads, if it reads any: constants that look like one."""
    if not {"environ", "getenv"} & set(mentions.names):
        return ()
    return tuple(word for word in mentions.words if _VARIABLE.fullmatch(word))
