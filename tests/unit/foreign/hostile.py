"""Pickles that do something when they are loaded, of every kind, and pickles that only cost.

Each of ``RUN`` creates the canary file when Python's own unpickler loads it; a test shows that.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable

from ipy_fastcompile.foreign import limits


def text(value: str) -> bytes:
    """SHORT_BINUNICODE or BINUNICODE."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def proto(body: bytes) -> bytes:
    return b"\x80\x04" + body + b"."


class _Reduce:
    def __init__(self, func: object, *args: object) -> None:
        self.call = (func, args)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call  # type: ignore[return-value]


def by_reduce_system(canary: str) -> bytes:
    import os

    return pickle.dumps({"weights": [1, 2, _Reduce(os.system, f"touch {canary}")]}, protocol=4)


def by_old_global(canary: str) -> bytes:
    return b"cos\nsystem\n(S'touch " + canary.encode() + b"'\ntR."


def by_exec(canary: str) -> bytes:
    return proto(
        text("builtins") + text("exec") + b"\x93" + text(f"open({canary!r}, 'w')") + b"\x85R"
    )


def by_python_2_name(canary: str) -> bytes:
    source = f"open({canary!r}, 'w')".encode()
    return b"\x80\x02c__builtin__\neval\n" + b"U" + bytes([len(source)]) + source + b"\x85R."


def by_inst(canary: str) -> bytes:
    return b"(S'touch " + canary.encode() + b"'\nios\nsystem\n."


def by_obj(canary: str) -> bytes:
    return proto(b"(cos\npopen\n" + text(f"touch {canary}") + b"o")


def by_popen(canary: str) -> bytes:
    """`subprocess.Popen` is a class: making an instance starts the process."""
    words = b"(" + text("touch") + text(canary) + b"l"
    return proto(b"csubprocess\nPopen\n" + words + b"\x85R")


def by_memo_name(canary: str) -> bytes:
    """The name is not beside STACK_GLOBAL: it comes out of the memo."""
    return proto(
        text("system")
        + b"\x94"
        + text("os")
        + b"\x940"
        + b"0"
        + b"h\x01h\x00\x93"
        + text(f"touch {canary}")
        + b"\x85R"
    )


def by_computed_name(canary: str) -> bytes:
    """The name is made by a call while it loads: ``"".join(["sys", "tem"])``."""
    joined = text("operator") + text("add") + b"\x93" + text("sys") + text("tem") + b"\x86R"
    return proto(text("os") + joined + b"\x93" + text(f"touch {canary}") + b"\x85R")


def by_getattr(canary: str) -> bytes:
    module = text("importlib") + text("import_module") + b"\x93" + text("os") + b"\x85R"
    reached = text("builtins") + text("getattr") + b"\x93" + module + text("system") + b"\x86R"
    return proto(reached + text(f"touch {canary}") + b"\x85R")


def by_inner_pickle(canary: str) -> bytes:
    inner = by_old_global(canary)
    return proto(
        text("pickle") + text("loads") + b"\x93" + b"C" + bytes([len(inner)]) + inner + b"\x85R"
    )


def by_build(canary: str) -> bytes:
    """BUILD sets attributes of a module's class; then the attribute is called."""
    return proto(
        text("functools")
        + text("partial")
        + b"\x93"
        + text("os")
        + text("system")
        + b"\x93"
        + text(f"touch {canary}")
        + b"\x86R"
        + b"\x94"
        + b"0h\x00)R"
    )


def before_it_breaks(canary: str) -> bytes:
    """It runs first, and has no end."""
    return by_exec(canary)[:-1] + b"\xff\xff"


RUN: dict[str, Callable[[str], bytes]] = {
    "reduce": by_reduce_system,
    "old global": by_old_global,
    "exec": by_exec,
    "python 2 name": by_python_2_name,
    "inst": by_inst,
    "obj": by_obj,
    "popen": by_popen,
    "name from the memo": by_memo_name,
    "computed name": by_computed_name,
    "getattr and import_module": by_getattr,
    "a pickle inside": by_inner_pickle,
    "partial": by_build,
    "broken behind the call": before_it_breaks,
}
# What the listing must name for each.
NAMES = {
    "reduce": "posix.system",
    "old global": "os.system",
    "exec": "builtins.exec",
    "python 2 name": "builtins.eval",
    "inst": "os.system",
    "obj": "os.popen",
    "popen": "subprocess.Popen",
    "name from the memo": "os.system",
    "computed name": "os.operator.add('sys', 'tem')",
    "getattr and import_module": "os.system",
    "a pickle inside": "os.system",
    "partial": "os.system",
    "broken behind the call": "builtins.exec",
}

_LONG = 2**24
COST: dict[str, bytes] = {
    "deep lists": proto(b"]" * 100_000 + b"a" * 99_999),
    "deep tuples": proto(b")" + b"\x85" * 100_000),
    "deep marks": proto(b"(" * 100_000),
    "deep calls": proto(b"cbuiltins\nlist\n" + b"\x85)R" * 1),
    "memo of a memo": proto(b"]\x94" + b"(h\x00h\x00l\x94" * 20_000),
    "billion laughs": proto(
        b"]\x94" + b"".join(b"(" + b"h%c" % n * 10 + b"l\x94" for n in range(9))
    ),
    "appended to itself": proto(b"]\x94" + b"h\x00a" * 50_000),
    "dup": proto(b"N" + b"2" * 200_000),
    "long of 2 GB": proto(b"\x8b\xff\xff\xff\x7f\x01"),
    "long of 16 MB": proto(b"\x8b" + struct.pack("<i", _LONG) + b"\x7f" * _LONG),
    "negative long": proto(b"\x8b\xff\xff\xff\xff"),
    "decimal long": b"\x80\x02L" + b"9" * 60_000 + b"L\n.",
    "string of an exabyte": proto(b"\x8d" + struct.pack("<Q", 2**60)),
    "bytes of 4 GB": proto(b"B\xff\xff\xff\xff"),
    "bytearray of an exabyte": proto(b"\x96" + struct.pack("<Q", 2**63)),
    "frame of an exabyte": proto(b"\x95" + struct.pack("<Q", 2**63)),
    "put at four billion": proto(b"Nr\xff\xff\xff\xff"),
    "negative put": b"\x80\x02Np-1\n.",
    "get of nothing": proto(b"h\x07"),
    "many globals": proto(b"".join(b"cm%d\nn\n0" % n for n in range(20_000)) + b"N"),
    "many empty dicts": proto(b"}" * (limits.MAX_VALUES + 1)),
    "long name": b"c" + b"m" * 60_000 + b"\nn\n.",
    "persistent id": proto(b"N" + text("weights/0") + b"Q"),
    "out of band": proto(b"\x97\x98"),
    "extension": proto(b"\x82\x01\x83\x01\x02\x84\x01\x02\x03\x04"),
    "stack global of numbers": proto(b"K\x01K\x02\x93"),
    "stack global of a cycle": proto(b"]\x94h\x00ah\x00\x93"),
    "build on nothing": proto(b"N}b"),
    "set on a number": proto(b"K\x01K\x02K\x03s"),
    "reduce of a number": proto(b"K\x01)R"),
    "recursive reduce": proto(b"cbuiltins\nlist\n\x94" + b"h\x00h\x00\x85R\x94" * 20_000),
    "odd dict": proto(b"(K\x01d"),
    "protocol 99": b"\x80\x63N.",
    "no utf-8": proto(b"X\x02\x00\x00\x00\xff\xfe"),
    "surrogates": proto(b"X\x03\x00\x00\x00\xed\xa0\x80"),
    "no stop": b"\x80\x04N",
    "only a mark": b"\x80\x04(.",
    "float": b"\x80\x02Fnan\n.",
    "bad float": b"\x80\x02Fx\n.",
    "nested pickles": b"",
}


def nested(levels: int) -> bytes:
    """A pickle in the bytes of a pickle in the bytes of ..."""
    data = proto(text("os") + text("system") + b"\x93")
    for _ in range(levels):
        data = proto(b"B" + struct.pack("<I", len(data)) + data)
    return data


COST["nested pickles"] = nested(40)


def _many(count: int, one: bytes) -> bytes:
    return b"(" + one * count + b"l"


def _pairs(names: list[str], value: Callable[[int], bytes]) -> bytes:
    return b"}(" + b"".join(text(name) + value(n) for n, name in enumerate(names)) + b"u"


_GRAPH = b"ctorch._inductor.output_code\nCompiledFxGraph\n"
_RESULT = b"ctorch._functorch._aot_autograd.aot_autograd_result\nAOTAutogradResult\n"
_REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
_INNER = proto(_many(50_000, b"]"))
_NAMES = [f"k{number}" for number in range(20_000)]
# Little to read, and much to do with it: the same part, over and over, or in itself.
AMPLIFIED: dict[str, bytes] = {
    "one pickle inside, a hundred thousand times": proto(
        b"B" + struct.pack("<I", len(_INNER)) + _INNER + b"\x940" + _many(100_000, b"h\x00")
    ),
    "one big state of many graphs": proto(
        _pairs(_NAMES, lambda _: b"N")
        + b"\x940"
        + _GRAPH
        + b"\x940"
        + _many(20_000, b"h\x01)Rh\x00b")
    ),
    "results inside of results": proto(
        (_RESULT + b")R}" + text("compiled_fw")) * 5_000 + b"N" + b"sb" * 5_000
    ),
    "rebuilds inside of rebuilds": proto(
        b"}" + text("w") + _REBUILD * 20_000 + b"N" + b"\x85R" * 20_000 + b"s"
    ),
    "dicts of one dict, eight deep": proto(
        b"}\x940"
        + b"".join(
            _pairs(_NAMES[:40], lambda _, level=level: b"h" + bytes([level])) + b"\x940"
            for level in range(8)
        )
        + b"h\x08"
    ),
}


def legacy(data: bytes) -> bytes:
    """The same as what an old `torch.save` holds."""
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
    return (
        magic + pickle.dumps(1001, protocol=2) + pickle.dumps({}, protocol=2) + data + proto(b"]")
    )
