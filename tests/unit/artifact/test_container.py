from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given, strategies as st

from ipy_fastcompile.artifact.container import is_member_name, pack_members, parse_container
from ipy_fastcompile.errors import ContainerCorrupt, SaveError

names = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,20}(/[a-z0-9_]{1,9}){0,2}\Z")


@given(st.dictionaries(names, st.binary(max_size=200), max_size=8))
def test_what_is_packed_is_parsed_and_read_by_python(members: dict[str, bytes]) -> None:
    data = pack_members(members)
    spans = parse_container(data, "it")
    assert {name: data[start:end] for name, (start, end) in spans.items()} == members
    assert list(spans) == list(members)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == members


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ContainerCorrupt):
        parse_container(data, "it")


def test_equal_members_give_equal_bytes() -> None:
    members = {"a.txt": b"1", "b/c.txt": b""}
    assert pack_members(members) == pack_members(dict(members))


@pytest.mark.parametrize(
    ("name", "is_allowed"),
    [
        ("a", True),
        ("execution.py", True),
        ("blobs/" + "0" * 64, True),
        ("a/b/c.txt", True),
        ("a..b", True),
        ("", False),
        (".", False),
        ("..", False),
        ("a/..", False),
        ("../a", False),
        ("a/.b", False),
        ("/a", False),
        ("a/", False),
        ("a//b", False),
        ("a b", False),
        ("a\\b", False),
        ("a\n", False),
        ("é", False),
        ("a" * 200, True),
        ("a" * 201, False),
    ],
)
def test_member_names(name: str, is_allowed: bool) -> None:
    assert is_member_name(name) == is_allowed
    if not is_allowed:
        with pytest.raises(SaveError, match="cannot name a member"):
            pack_members({name: b""})


def test_too_many_members() -> None:
    with pytest.raises(SaveError, match="at most 10000 members"):
        pack_members({str(number): b"" for number in range(10_001)})
