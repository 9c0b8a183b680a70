"""Bytes of a pickle -> its opcodes with their arguments; nothing is looked up or made.

A parser of its own, because the ones of the standard library were written for pickles that somebody
trusts: they decode numbers of any length and ask for as many bytes as a pickle says.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any

from .limits import MAX_INTEGER_BYTES, MAX_STRING_BYTES
from .stubs import Huge


class Unparsable(Exception):
    """What is wrong with a pickle at the place where reading stops; never leaves this room."""


_LINE = 64 * 2**10
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)", re.DOTALL)
_PLAIN_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}

Decoder = Callable[[bytes, int], tuple[Any, int]]


def _bytes(data: bytes, at: int, size: int, limit: int = MAX_STRING_BYTES) -> tuple[bytes, int]:
    if size < 0 or size > limit:
        raise Unparsable(f"a value of {size} bytes is past the limit of {limit}")
    end = at + size
    if end > len(data):
        raise Unparsable(f"it ends inside a value of {size} bytes")
    return data[at:end], end


def _number(fmt: str) -> Decoder:
    size = struct.calcsize(fmt)

    def decode(data: bytes, at: int) -> tuple[Any, int]:
        piece, end = _bytes(data, at, size)
        return struct.unpack(fmt, piece)[0], end

    return decode


def _sized(fmt: str, make: Callable[[bytes], Any]) -> Decoder:
    length = _number(fmt)

    def decode(data: bytes, at: int) -> tuple[Any, int]:
        size, at = length(data, at)
        piece, end = _bytes(data, at, size)
        return make(piece), end

    return decode


def _long(fmt: str) -> Decoder:
    length = _number(fmt)

    def decode(data: bytes, at: int) -> tuple[Any, int]:
        size, at = length(data, at)
        piece, end = _bytes(data, at, size)
        if size > MAX_INTEGER_BYTES:
            return Huge(size), end
        return int.from_bytes(piece, "little", signed=True), end

    return decode


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    end = data.find(b"\n", at, at + _LINE)
    if end < 0:
        raise Unparsable("a line of it does not end")
    return data[at:end], end + 1


def _text_line(data: bytes, at: int) -> tuple[Any, int]:
    line, end = _line(data, at)
    return line.decode("utf-8", "replace"), end


def _two_lines(data: bytes, at: int) -> tuple[Any, int]:
    module, at = _text_line(data, at)
    name, at = _text_line(data, at)
    return (module, name), at


def _decimal(data: bytes, at: int) -> tuple[Any, int]:
    line, end = _line(data, at)
    digits = line.strip().rstrip(b"L")
    if digits in (b"00", b"01") and line == digits:
        return digits == b"01", end
    if len(digits) > MAX_INTEGER_BYTES:
        return Huge(len(digits)), end
    try:
        return int(digits), end
    except ValueError as error:
        raise Unparsable("a number of it is none") from error


def _real(data: bytes, at: int) -> tuple[Any, int]:
    line, end = _line(data, at)
    try:
        return float(line), end
    except ValueError as error:
        raise Unparsable("a number of it is none") from error


def _quoted(data: bytes, at: int) -> tuple[Any, int]:
    line, end = _line(data, at)
    text = line.decode("latin-1").strip()
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "'\"":
        raise Unparsable("a quoted string of it has no quotes")
    return _ESCAPE.sub(_unescape, text[1:-1]), end


def _unescape(match: re.Match[str]) -> str:
    body = match[1]
    if body[0] == "x" and len(body) == 3:
        return chr(int(body[1:], 16))
    if body[0] in "01234567":
        return chr(int(body, 8) & 0xFF)
    return _PLAIN_ESCAPES.get(body, body)


def _raw_unicode(data: bytes, at: int) -> tuple[Any, int]:
    line, end = _line(data, at)
    return line.decode("raw_unicode_escape", "replace"), end


def _utf8(piece: bytes) -> str:
    return piece.decode("utf-8", "surrogatepass")


def _lenient(piece: bytes) -> str:
    return piece.decode("latin-1")


def _nothing(data: bytes, at: int) -> tuple[Any, int]:
    del data
    return None, at


_DECODERS: dict[bytes, tuple[str, Decoder]] = {
    b"\x80": ("PROTO", _number("<B")),
    b"\x95": ("FRAME", _number("<Q")),
    b"c": ("GLOBAL", _two_lines),
    b"i": ("INST", _two_lines),
    b"I": ("INT", _decimal),
    b"L": ("LONG", _decimal),
    b"F": ("FLOAT", _real),
    b"S": ("STRING", _quoted),
    b"V": ("UNICODE", _raw_unicode),
    b"P": ("PERSID", _text_line),
    b"g": ("GET", _decimal),
    b"p": ("PUT", _decimal),
    b"J": ("BININT", _number("<i")),
    b"K": ("BININT1", _number("<B")),
    b"M": ("BININT2", _number("<H")),
    b"G": ("BINFLOAT", _number(">d")),
    b"\x8a": ("LONG1", _long("<B")),
    b"\x8b": ("LONG4", _long("<i")),
    b"T": ("BINSTRING", _sized("<i", _lenient)),
    b"U": ("SHORT_BINSTRING", _sized("<B", _lenient)),
    b"X": ("BINUNICODE", _sized("<I", _utf8)),
    b"\x8c": ("SHORT_BINUNICODE", _sized("<B", _utf8)),
    b"\x8d": ("BINUNICODE8", _sized("<Q", _utf8)),
    b"B": ("BINBYTES", _sized("<I", bytes)),
    b"C": ("SHORT_BINBYTES", _sized("<B", bytes)),
    b"\x8e": ("BINBYTES8", _sized("<Q", bytes)),
    b"\x96": ("BYTEARRAY8", _sized("<Q", bytes)),
    b"h": ("BINGET", _number("<B")),
    b"j": ("LONG_BINGET", _number("<I")),
    b"q": ("BINPUT", _number("<B")),
    b"r": ("LONG_BINPUT", _number("<I")),
    b"\x82": ("EXT1", _number("<B")),
    b"\x83": ("EXT2", _number("<H")),
    b"\x84": ("EXT4", _number("<i")),
}
_DECODERS |= {
    code: (name, _nothing)
    for code, name in {
        b"(": "MARK",
        b".": "STOP",
        b"0": "POP",
        b"1": "POP_MARK",
        b"2": "DUP",
        b"N": "NONE",
        b"\x88": "NEWTRUE",
        b"\x89": "NEWFALSE",
        b"R": "REDUCE",
        b"b": "BUILD",
        b"o": "OBJ",
        b"\x81": "NEWOBJ",
        b"\x92": "NEWOBJ_EX",
        b"\x93": "STACK_GLOBAL",
        b"a": "APPEND",
        b"e": "APPENDS",
        b"s": "SETITEM",
        b"u": "SETITEMS",
        b"\x90": "ADDITEMS",
        b"d": "DICT",
        b"}": "EMPTY_DICT",
        b"l": "LIST",
        b"]": "EMPTY_LIST",
        b"t": "TUPLE",
        b")": "EMPTY_TUPLE",
        b"\x85": "TUPLE1",
        b"\x86": "TUPLE2",
        b"\x87": "TUPLE3",
        b"\x8f": "EMPTY_SET",
        b"\x91": "FROZENSET",
        b"\x94": "MEMOIZE",
        b"Q": "BINPERSID",
        b"\x97": "NEXT_BUFFER",
        b"\x98": "READONLY_BUFFER",
    }.items()
}
_BY_BYTE = {code[0]: entry for code, entry in _DECODERS.items()}


def decode(data: bytes, at: int) -> tuple[str, Any, int]:
    """(name, argument, where the next one starts) of the opcode at ``at``.

    Raises `Unparsable`.
    """
    if at >= len(data):
        raise Unparsable("it ends before its last opcode")
    entry = _BY_BYTE.get(data[at])
    if entry is None:
        raise Unparsable(f"byte 0x{data[at]:02x} at {at} is no opcode")
    name, decoder = entry
    if decoder is _nothing:  # most of them
        return name, None, at + 1
    try:
        argument, end = decoder(data, at + 1)
    except UnicodeDecodeError as error:
        raise Unparsable(f"a string at {at} is not UTF-8") from error
    return name, argument, end
