"""Attacks on a load: whole artifacts of the engine, with payloads where code could come from.

Every load runs in a child process that counts what is decoded (`tests.faults.loads`). The payloads
leave a file behind when they run.
"""

from __future__ import annotations

import marshal
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile.artifact import blob_name, limits, open_artifact
from ipy_fastcompile.artifact.keyfile import make_key
from ipy_fastcompile.artifact.squeeze import squeeze
from ipy_fastcompile.artifact.trust import sign
from ipy_fastcompile.cache.cached import compile_cached
from ipy_fastcompile.cache.store import Store
from ipy_fastcompile.errors import FastCompileWarning
from ipy_fastcompile.runtime import bind
from ipy_fastcompile.verification.check import largest_difference
from tests.faults.loads import load_all, resave
from tests.faults.parts import rehash, repack, unpack

pytestmark = pytest.mark.slow


class Payload:
    """Pickles to a call that leaves a file behind."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (f"open({str(self.canary)!r}, 'w').close()",))


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.fixture
def own(tiny_artifact: Path, tmp_path: Path, data_home: Path) -> Path:
    """The artifact, signed with the key of this test."""
    return resave(tiny_artifact, tmp_path / "own.fastcompile", lambda manifest, members: None)


def with_payloads(canary: Path, *, squeezed: bool) -> Callable[[Any, Any], None]:
    """Hostile pickles where the FX graph and the kernels of the torch path are."""
    pickled = pickle.dumps(Payload(canary))
    payload = squeeze(pickled) if squeezed else pickled

    def change(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        program = manifest["programs"][0]
        for entry, field in [
            (program, "fx"),
            *((kernel, "torch") for kernel in program["kernels"]),
        ]:
            members.pop(entry[field], None)
            entry[field] = blob_name(payload)
        members[blob_name(payload)] = payload

    return change


# --- hostile pickles -----------------------------------------------------------------------------


def test_no_path_unpickles_what_is_not_trusted(own: Path, tmp_path: Path, canary: Path) -> None:
    hostile = resave(own, tmp_path / "hostile", with_payloads(canary, squeezed=True))
    signed = unpack(hostile)
    plain = resave(own, tmp_path / "plain", with_payloads(canary, squeezed=False))
    fx = open_artifact(own).manifest["programs"][0]["fx"]
    attacks = {
        "unsigned": rehash(signed),
        "unsigned, not compressed": rehash(unpack(plain)),
        "wrong key": rehash(
            signed, signature=sign(rehash(signed)[limits.MANIFEST], b"k" * limits.KEY_BYTES)
        ),
        "re-hashed under the old signature": rehash(
            signed, signature=unpack(own)[limits.SIGNATURE]
        ),
        "swapped under its name": {**unpack(own), fx: squeeze(pickle.dumps(Payload(canary)))},
        "signature of another artifact": {
            **signed, limits.SIGNATURE: unpack(own)[limits.SIGNATURE]
        },
    }  # fmt: skip
    loads: list[tuple[Path, str, str | None]] = [(own, "native", None)]
    for position, members in enumerate(attacks.values()):
        path = tmp_path / f"attack_{position}.fastcompile"
        repack(path, members)
        loads += [(path, via, None) for via in ("native", "torch", "fx")]
    outcomes = load_all(loads)
    assert outcomes[0].is_right
    assert outcomes[0].decoded > 0
    for position, name in enumerate(attacks):
        refused = outcomes[1 + 3 * position : 4 + 3 * position]
        expected = "ManifestCorrupt" if name == "swapped under its name" else "ArtifactUntrusted"
        assert [outcome.error for outcome in refused] == [expected] * 3, name
        assert [outcome.decoded for outcome in refused] == [0] * 3, name
        assert all(outcome.own for outcome in refused)
    assert not canary.exists()


def test_a_graph_swapped_for_a_payload_of_its_size_is_never_decoded(
    own: Path, tmp_path: Path, canary: Path
) -> None:
    members = unpack(own)
    fx = open_artifact(own).manifest["programs"][0]["fx"]
    payload = pickle.dumps(Payload(canary))
    path = tmp_path / "swapped.fastcompile"
    repack(path, {**members, fx: payload.ljust(len(members[fx]), b"\0")})
    native, graph = load_all([(path, "native", None), (path, "fx", None)], compiler=True)
    assert native.is_right  # it reads no graph, so it cannot be harmed by one
    assert (graph.error, graph.own) == ("MemberCorrupt", True)
    assert (native.unpicklers, graph.decoded) == (0, 0)
    assert not canary.exists()


def test_the_native_path_never_unpickles_whoever_signed(
    own: Path, tmp_path: Path, canary: Path
) -> None:
    hostile = resave(own, tmp_path / "hostile.fastcompile", with_payloads(canary, squeezed=True))
    pinned = tmp_path / "pinned.fastcompile"
    repack(pinned, rehash(unpack(hostile)))
    digest = open_artifact(pinned, check_trust=False).digest
    outcomes = load_all(
        [(hostile, "native", None), (pinned, "native", digest), (own, "native", None)]
    )
    assert all(outcome.is_right for outcome in outcomes)
    assert [outcome.unpicklers + outcome.lookups for outcome in outcomes] == [0, 0, 0]
    assert not canary.exists()


@pytest.mark.parametrize("via", ["torch", "fx"])
def test_the_payload_is_real(own: Path, tmp_path: Path, canary: Path, via: str) -> None:
    # Whoever has the key has the account: these paths then run what is in the file.
    hostile = resave(own, tmp_path / "hostile.fastcompile", with_payloads(canary, squeezed=True))
    (outcome,) = load_all([(hostile, via, None)], compiler=True)
    assert outcome.unpicklers > 0
    assert outcome.lookups > 0
    assert canary.exists()
    assert outcome.error in ("KernelError", "ArtifactIncompatible")
    assert outcome.own


# --- hand-edited code ----------------------------------------------------------------------------

IMPORT = "__import__('os').system({!r})"


def edited(canary: Path, member: str, *, where: str) -> Callable[[Any, Any], None]:
    """A text of the artifact that calls the system: at its top, or inside a function."""

    def change(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        lines = members[member].decode().splitlines()
        evil = IMPORT.format(f"touch {canary}")
        if where == "top":
            lines.append(evil)
        else:
            start = max(i for i, line in enumerate(lines) if line.lstrip().startswith("return"))
            indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
            lines.insert(start, f"{indent}{evil}")
        members[member] = "\n".join(lines).encode()

    return change


@pytest.mark.parametrize("where", ["top", "inside"])
@pytest.mark.parametrize("member", ["execution.py", "kernels/0/native.py"])
def test_hand_edited_code_is_refused_by_digest_and_signature(
    own: Path, tmp_path: Path, canary: Path, member: str, where: str
) -> None:
    signed = resave(own, tmp_path / "signed", edited(canary, member, where=where))
    unsigned, kept, same = tmp_path / "unsigned", tmp_path / "kept", tmp_path / "same"
    repack(unsigned, rehash(unpack(signed)))
    repack(kept, {**unpack(own), member: unpack(signed)[member]})
    honest, evil = unpack(own)[member], unpack(signed)[member]
    repack(same, {**unpack(own), member: evil[-len(honest) :]})
    outcomes = load_all([(path, "native", None) for path in (kept, same, unsigned)])
    assert [outcome.error for outcome in outcomes] == [
        "ManifestCorrupt",  # another size
        "MemberCorrupt",  # another content
        "ArtifactUntrusted",
    ]
    assert all(outcome.own for outcome in outcomes)
    assert [outcome.commands for outcome in outcomes] == [0, 0, 0]
    assert [outcome.decoded for outcome in (outcomes[0], outcomes[2])] == [0, 0]
    assert not canary.exists()
    for path in (signed, unsigned):  # whoever looks is told, whoever signed
        assert list(fc.inspect(path).edited) == [member]
        assert f"{member}, line " in str(fc.inspect(path))
    assert not canary.exists()


def test_what_the_user_signs_is_the_users_own_code(own: Path, tmp_path: Path, canary: Path) -> None:
    # Whoever has the key has the account: a text, like the machine code beside it, then runs.
    signed = resave(own, tmp_path / "signed", edited(canary, "execution.py", where="top"))
    (outcome,) = load_all([(signed, "native", None)])
    assert outcome.is_right
    assert outcome.commands == 1
    assert canary.exists()


def test_code_objects_that_a_stranger_put_beside_a_text_are_not_decoded(
    own: Path, tmp_path: Path, canary: Path
) -> None:
    """Stored code under the file name of the honest text, doing something else."""

    def change(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        text = members["execution.py"].decode()
        name = bind.text_filename("execution code", text)
        evil = compile(IMPORT.format(f"touch {canary}"), name, "exec")
        data = squeeze(marshal.dumps({"execution.py": evil}))
        members.pop(manifest["programs"][0]["code"])
        manifest["programs"][0]["code"] = blob_name(data)
        members[blob_name(data)] = data

    signed = resave(own, tmp_path / "signed.fastcompile", change)
    unsigned = tmp_path / "unsigned.fastcompile"
    repack(unsigned, rehash(unpack(signed)))
    swapped = tmp_path / "swapped.fastcompile"
    code = open_artifact(own).manifest["programs"][0]["code"]
    evil = unpack(signed)[open_artifact(signed).manifest["programs"][0]["code"]]
    repack(swapped, {**unpack(own), code: evil.ljust(len(unpack(own)[code]), b"\0")})
    honest, stranger, flipped = load_all([(p, "native", None) for p in (own, unsigned, swapped)])
    assert honest.is_right
    assert honest.code_objects > 0
    assert (stranger.error, stranger.decoded) == ("ArtifactUntrusted", 0)
    assert (flipped.error, flipped.code_objects, flipped.commands) == ("MemberCorrupt", 0, 0)
    assert not canary.exists()


# --- through the cache ---------------------------------------------------------------------------


def test_a_hostile_entry_of_the_cache_is_a_miss_and_replaced(
    store: Store, compiles: list[Any], tiny_model: Any, tiny_ids: Any, tmp_path: Path, canary: Path
) -> None:
    def ask() -> Any:
        return compile_cached(tiny_model, (tiny_ids,), dynamic={"ids": {1: "seq"}}, store=store)

    entry = store.path_of(ask().key)
    hostile = resave(entry, tmp_path / "hostile", with_payloads(canary, squeezed=True))
    repack(entry, rehash(unpack(hostile)))
    with pytest.warns(FastCompileWarning, match="ArtifactUntrusted"):
        result = ask()
    assert not result.hit
    assert len(compiles) == 2
    assert not canary.exists()
    assert ask().hit
    with torch.no_grad():
        assert largest_difference(tiny_model(tiny_ids), ask().model(tiny_ids)) < 1e-4


def test_an_entry_of_another_model_under_this_key_is_a_miss(
    store: Store, compiles: list[Any], tiny_model: Any, tiny_ids: Any
) -> None:
    def ask(**options: Any) -> Any:
        return compile_cached(tiny_model, (tiny_ids,), store=store, **options)

    one, other = ask(dynamic={"ids": {1: "seq"}}), ask(dynamic={"ids": {1: "length"}})
    assert one.key != other.key
    shutil.copyfile(store.path_of(one.key), store.path_of(other.key))
    with pytest.warns(FastCompileWarning, match="ArtifactStale"):
        result = ask(dynamic={"ids": {1: "length"}})
    assert not result.hit
    assert len(compiles) == 3
    assert ask(dynamic={"ids": {1: "length"}}).hit


def test_a_forged_key_in_a_strangers_entry_is_a_miss(
    store: Store, compiles: list[Any], tiny_model: Any, tiny_ids: Any, data_home: Path
) -> None:
    """Somebody who can write to the cache, but has another signing key."""

    def ask() -> Any:
        return compile_cached(tiny_model, (tiny_ids,), dynamic={"ids": {1: "seq"}}, store=store)

    entry = store.path_of(ask().key)
    members = unpack(entry)
    make_key()
    members[limits.SIGNATURE] = sign(members[limits.MANIFEST], b"s" * limits.KEY_BYTES)
    repack(entry, members)
    with pytest.warns(FastCompileWarning, match="another user's key"):
        assert not ask().hit
    assert ask().hit
