"""Random opcodes, damage and bytes: a record or one of our errors, and nothing is run."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib

from hypothesis import HealthCheck, given, settings, strategies as st

from ipy_fastcompile.errors import FastCompileError
from ipy_fastcompile.foreign.budget import Budget
from ipy_fastcompile.foreign.compare import compare_records
from ipy_fastcompile.foreign.literals import NoLiteral, parse_literal
from ipy_fastcompile.foreign.open import open_foreign
from ipy_fastcompile.foreign.stubs import Huge, Pairs, brief, walk
from ipy_fastcompile.foreign.unpickle import unpickle

QUICK = settings(max_examples=150, suppress_health_check=list(HealthCheck))

_WORDS = ("os", "system", "builtins", "exec", "getattr", "loads", "pickle", "", "a.b", "x\n")


def _text(word: str) -> bytes:
    raw = word.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


_BARE = [
    bytes([code])
    for code in b".(012NRboaesu]}lt)d\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98Q"
]
OPCODE = st.one_of(
    st.sampled_from(_BARE),
    st.sampled_from(_WORDS).map(_text),
    st.tuples(st.sampled_from(_WORDS), st.sampled_from(_WORDS)).map(
        lambda pair: b"c" + "\n".join(pair).encode() + b"\n"
    ),
    st.integers(0, 255).map(lambda n: b"K" + bytes([n])),
    st.integers(0, 12).map(lambda n: b"h" + bytes([n])),
    st.integers(0, 12).map(lambda n: b"q" + bytes([n])),
    st.binary(max_size=40).map(lambda b: b"C" + bytes([len(b)]) + b),
    st.binary(max_size=12).map(lambda b: b"\x8a" + bytes([len(b)]) + b),
    st.integers(-(2**31), 2**31 - 1).map(lambda n: b"\x8b" + struct.pack("<i", n)),
    st.sampled_from([b"\x82\x01", b"\x95" + b"\xff" * 8, b"P1\n", b"I01\n", b"F1e999\n", b"Lx\n"]),
)
STREAM = st.lists(OPCODE, max_size=60).map(b"".join)


@QUICK
@given(STREAM, st.integers(0, 9))
def test_any_stream_of_opcodes_ends(stream: bytes, protocol: int) -> None:
    data = b"\x80" + bytes([protocol]) + stream
    budget = Budget()
    result = unpickle(data, budget)
    assert result.end <= len(data)
    assert sum(1 for _ in walk(result.value)) <= 20 * len(data)
    assert len(brief(result.value)) < 1_000


@QUICK
@given(STREAM)
def test_any_pickle_opens_or_is_refused(stream: bytes) -> None:
    _opens(b"\x80\x04" + stream + b".")


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


def _same(found: object, made: object) -> bool:
    if isinstance(found, Huge):
        return isinstance(made, int)
    if isinstance(made, dict):
        assert isinstance(found, Pairs)
        return all(
            a == b and _same(x, made[a]) for (a, x), b in zip(found.pairs, made, strict=True)
        )
    if isinstance(made, (list, tuple)):
        assert isinstance(found, type(made))
        return len(found) == len(made) and all(map(_same, found, made))
    return type(found) is type(made) and found == made


@QUICK
@given(PLAIN, st.integers(2, 5))
def test_plain_data_is_what_python_reads(value: object, protocol: int) -> None:
    result = unpickle(pickle.dumps(value, protocol=protocol), Budget())
    assert result.problem == ""
    assert _same(result.value, value)


def _opens(data: bytes) -> None:
    said = ""
    try:
        record = open_foreign(data)
    except FastCompileError as error:
        said = str(error)
    if said:
        assert "\n" not in said
        return
    assert str(record)
    assert record.to_json()
    assert str(compare_records(record, record))


def _appended(fields: list[bytes]) -> bytes:
    body = b"".join(struct.pack(">Q", len(part)) + part for part in fields)
    return struct.pack(">I", zlib.crc32(body)) + body


@QUICK
@given(
    st.sampled_from([b"AOTCompiledArtifact", b"CacheCompiledArtifact", b"OtherCompiledArtifact"]),
    st.lists(st.binary(max_size=50) | STREAM, max_size=4),
)
def test_any_fields_of_a_standalone_artifact_open(header: bytes, fields: list[bytes]) -> None:
    _opens(_appended([header, *fields]))


@QUICK
@given(
    st.dictionaries(
        st.sampled_from(
            ["archive_format", "models/m.json", "data.pkl", "data/0", "version", "code/a.py"]
        )
        | st.text(min_size=1, max_size=8),
        st.binary(max_size=60) | STREAM,
        max_size=5,
    )
)
def test_any_members_of_a_zip_open(members: dict[str, bytes]) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"top/{name.replace(chr(0), '')}", content)
    _opens(file.getvalue())


@QUICK
@given(
    st.sampled_from([b"", b"PK\x03\x04", b"\x80\x04", b"{", b"\0" * 11 + b"\x01", b"(", b"c"]),
    st.binary(),
)
def test_any_bytes_open_or_are_refused(head: bytes, rest: bytes) -> None:
    _opens(head + rest)


LITERAL = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner) | st.tuples(inner, inner),
    max_leaves=15,
)


@QUICK
@given(LITERAL)
def test_literals_are_what_python_writes(value: object) -> None:
    assert parse_literal(repr(value)) == value


@QUICK
@given(st.text(alphabet="()[]{},:'\"\\ax1 .-NoneRange=", max_size=80))
def test_any_text_is_a_literal_or_none(text: str) -> None:
    try:
        parse_literal(text)
    except NoLiteral:
        return
