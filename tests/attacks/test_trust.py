"""Attacks 22 to 26, 28 and 34: other users, special files, swaps, pickles, keys, edits."""

from __future__ import annotations

import json
import marshal
import os
import pickle
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from ipy_fastcompile.artifact import (
    blob_name,
    files,
    limits,
    open_artifact,
    save_artifact,
)
from ipy_fastcompile.artifact.inspect import inspect
from ipy_fastcompile.artifact.trust import key_id, sign
from ipy_fastcompile.cache.key.components import Key
from ipy_fastcompile.cache.store import Hit, Miss, Store
from ipy_fastcompile.errors import (
    ArtifactCorrupt,
    ArtifactError,
    ArtifactNotFound,
    ArtifactUnreadable,
    ArtifactUntrusted,
    FastCompileWarning,
    KeyFileError,
    MemberCorrupt,
)
from tests.faults.parts import (
    NOBODY,
    as_nobody,
    at_most,
    cannot,
    directory_of_nobody,
    give_away,
    need_tool,
    read_text,
    rehash,
    repack,
    save_tiny,
    unpack,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "top" / "folder"
    folder.mkdir(mode=0o700, parents=True)
    target = folder / "a.fastcompile"
    save_tiny(target)
    return target


def untrusted(path: Path, words: str) -> None:
    """It does not load, says why and which digest to pin; inspecting works; pinning works."""
    with pytest.raises(ArtifactUntrusted, match=words) as caught:
        open_artifact(path)
    digest = caught.value.digest
    assert digest in str(caught.value)
    info = inspect(path)
    assert not info.trust.is_trusted
    assert "its texts are claims" in str(info)
    assert open_artifact(path, trust=digest).verdict.state == "pinned"


# --- who can change the file --------------------------------------------------------------------


def test_a_file_of_another_user(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give_away(path, monkeypatch, uid=NOBODY)
    untrusted(path, f"belongs to user {NOBODY}")


@pytest.mark.parametrize("which", [1, 2])
def test_an_ancestor_of_another_user(
    path: Path, which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_away(path.parents[which - 1], monkeypatch, uid=NOBODY)
    untrusted(path, f"{path.parents[which - 1]} belongs to user {NOBODY}")


@pytest.mark.parametrize("mode", [0o602, 0o606, 0o666, 0o777])
def test_a_file_that_everybody_may_write(path: Path, mode: int) -> None:
    path.chmod(mode)
    untrusted(path, "everybody may write to")
    assert stat.S_IMODE(path.stat().st_mode) == mode  # and we do not repair what others made


@pytest.mark.parametrize("mode", [0o702, 0o777])
def test_a_directory_that_everybody_may_write(path: Path, mode: int) -> None:
    path.parent.chmod(mode)
    untrusted(path, f"everybody may write to {path.parent}")
    assert stat.S_IMODE(path.parent.stat().st_mode) == mode


@pytest.mark.parametrize("which", ["file", "directory"])
def test_a_group_that_may_write(path: Path, which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target, mode = (path, 0o660) if which == "file" else (path.parent, 0o770)
    give_away(target, monkeypatch, gid=NOBODY)
    assert read_text(path) == "old"  # a group that may only read is nobody's business
    target.chmod(mode)
    untrusted(path, f"group {NOBODY} may write to {target}")
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_a_group_of_this_user_alone_is_no_other(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import grp
    import pwd

    user = pwd.getpwuid(os.geteuid())
    path.chmod(0o660)
    group = path.stat().st_gid

    def set_group(name: str, members: list[str]) -> None:
        entry = grp.struct_group((name, "x", group, members))
        monkeypatch.setattr(grp, "getgrgid", lambda gid: entry)

    own = pwd.struct_passwd((user.pw_name, "x", user.pw_uid, group, "", "", ""))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: own)
    for name, members, is_trusted in (
        (user.pw_name, [], True),
        (user.pw_name, [user.pw_name], True),
        (user.pw_name, ["mallory"], False),
        ("users", [], False),
    ):
        set_group(name, members)
        assert inspect(path).trust.is_trusted == is_trusted
    set_group(user.pw_name, [])
    monkeypatch.setattr(os, "listxattr", lambda path: ["system.posix_acl_access"])
    untrusted(path, "group .* may write")


def test_sticky_directories_of_root_are_fine_and_of_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sticky"
    folder.mkdir()
    folder.chmod(0o1777)
    save_tiny(folder / "a.fastcompile")
    assert read_text(folder / "a.fastcompile") == "old"
    give_away(folder, monkeypatch, uid=NOBODY)
    untrusted(folder / "a.fastcompile", "belongs to user")


def test_links_on_the_way(tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = tmp_path / "link"
    link.symlink_to("top/folder")
    assert read_text(link / "a.fastcompile") == "old"
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    with pytest.raises(ArtifactError):
        open_artifact(loop / "a.fastcompile")
    dots = tmp_path / "top" / ".." / "link" / "." / "a.fastcompile"
    assert read_text(dots) == "old"
    give_away(link, monkeypatch, uid=NOBODY)  # its owner can point it elsewhere
    untrusted(link / "a.fastcompile", f"{link} belongs to user {NOBODY}")
    assert read_text(path) == "old"
    open_folder = tmp_path / "open"
    open_folder.mkdir()
    open_folder.chmod(0o777)
    (open_folder / "link").symlink_to(path.parent)
    untrusted(open_folder / "link" / "a.fastcompile", "everybody may write to")


CONTAINER = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: else /proc/self belongs to root after setuid
directory, user = sys.argv[1], os.geteuid()
os.environ["XDG_DATA_HOME"] = directory
path = directory + "/a.fastcompile"
save_artifact(path, {}, {})
if libc.unshare(0x10000000):  # CLONE_NEWUSER
    print("cannot")
    raise SystemExit
with open("/proc/self/uid_map", "w") as file:
    file.write(f"{user} {user} 1")
print(os.stat("/").st_uid == int(open("/proc/sys/fs/overflowuid").read()))
print(open_artifact(path).verdict.state)
os.chmod(directory, 0o777)
try:
    open_artifact(path)
except ArtifactError as error:
    print(error)
"""


def test_a_container_that_has_no_number_for_root() -> None:
    if os.geteuid() != 0:
        need_tool("unshare", "-U", "true")
    imports = (
        "from ipy_fastcompile.artifact import open_artifact, save_artifact\n"
        "from ipy_fastcompile.errors import FastCompileError as ArtifactError\nimport ctypes"
    )
    with directory_of_nobody() as directory:
        lines = as_nobody(imports, CONTAINER, directory).stdout.splitlines()
    if lines == ["cannot"]:
        cannot("this kernel lets no user make a user namespace")
    if os.geteuid() == 0:  # another user may be in a container already, and own the root of it
        assert lines[0] == "True"
    assert lines[1] == "own"
    assert "everybody may write" in lines[2]


def test_the_overflow_user_is_foreign_where_root_has_a_number(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overflow = int(Path("/proc/sys/fs/overflowuid").read_text())
    give_away(path.parent, monkeypatch, uid=overflow)
    if " 0 " in f" {Path('/proc/self/uid_map').read_text().split()[0]} ":
        untrusted(path, f"belongs to user {overflow}")
    else:
        assert read_text(path) == "old"


def test_relative_paths(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    assert read_text(Path("a.fastcompile")) == "old"
    path.parent.chmod(0o777)
    with pytest.raises(ArtifactUntrusted):
        open_artifact("a.fastcompile")


# --- what is at the path ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "socket", "directory", "device"])
def test_special_files_are_refused_at_once(tmp_path: Path, path: Path, kind: str) -> None:
    other = tmp_path / "other"
    if kind == "link":
        other.symlink_to(path)
    elif kind == "dangling":
        other.symlink_to("nowhere")
    elif kind == "fifo":
        os.mkfifo(other)
    elif kind == "directory":
        other.mkdir()
    elif kind == "device":
        other = Path("/dev/zero")  # endless
    with socket.socket(socket.AF_UNIX) as server, at_most(120):
        if kind == "socket":
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(tmp_path)
                server.bind("other")
        for read in (open_artifact, inspect):
            with pytest.raises(ArtifactNotFound, match=r"symbolic link|not a regular file"):
                read(other)
        with pytest.raises(ArtifactNotFound):
            open_artifact(other, trust="sha256:" + "0" * 64)


def test_saving_over_a_link_replaces_the_link(tmp_path: Path, path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for make in (lambda p: p.symlink_to(victim), os.mkfifo, lambda p: os.link(victim, p)):
        target = path.parent / "b.fastcompile"
        target.unlink(missing_ok=True)
        make(target)
        with at_most(120):
            save_tiny(target, "new")
        assert read_text(target) == "new"
        assert victim.read_text() == "mine"


UNREADABLE = """
directory = sys.argv[1]
os.environ["XDG_DATA_HOME"] = directory
path = directory + "/a.fastcompile"
save_artifact(path, {}, {})
os.chmod(path, 0)
try:
    open_artifact(path)
except ArtifactUnreadable as error:
    print(error)
"""


def test_a_file_without_the_right_to_read_it() -> None:
    imports = (
        "from ipy_fastcompile.artifact import open_artifact, save_artifact\n"
        f"from ipy_fastcompile.errors import {ArtifactUnreadable.__name__}"
    )
    with directory_of_nobody() as directory:
        assert "Permission denied" in as_nobody(imports, UNREADABLE, directory).stdout


@pytest.mark.parametrize("moment", ["opened", "read"])
def test_swapped_between_check_and_use(
    path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    evil = unpack(path)
    read_exactly = files.read_exactly

    def swap(descriptor: int, size: int, name: str) -> bytes:
        if moment == "opened":
            replace()
        data = read_exactly(descriptor, size, name)
        if moment == "read":
            replace()
        return data

    def replace() -> None:
        other = path.with_name("evil")
        repack(other, rehash({**evil, "execution.py": b"evil"}))
        other.replace(path)

    monkeypatch.setattr(files, "read_exactly", swap)
    artifact = open_artifact(path)
    assert artifact.read("execution.py") == b"return 'old'\n"  # the bytes that were verified
    monkeypatch.undo()
    untrusted(path, "unsigned")


def test_a_file_that_changes_while_it_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = path.read_bytes()
    check_end = files.check_end
    for change in (whole[:-1], whole + b"x", b""):
        path.write_bytes(whole)

        def shrink(*arguments: Any, change: bytes = change) -> tuple[int, int]:
            found = check_end(*arguments)
            path.write_bytes(change)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(files, "check_end", shrink)
            with pytest.raises(ArtifactError, match="changed while it was being read"):
                open_artifact(path)


# --- what is inside -----------------------------------------------------------------------------


class Canary:
    """Pickles to a call that leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.fixture
def no_unpickling(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something unpickles")

    for name in ("load", "loads", "Unpickler", "_Unpickler", "_loads", "_load"):
        monkeypatch.setattr(pickle, name, refuse)
    for name in ("loads", "load"):
        monkeypatch.setattr(marshal, name, refuse)


@pytest.mark.parametrize("attack", ["unsigned", "wrong key", "rehashed", "re-signed", "swapped"])
@pytest.mark.usefixtures("no_unpickling")
def test_hostile_pickles_never_get_to_an_unpickler(
    tmp_path: Path, data_home: Path, attack: str
) -> None:
    canary = tmp_path / "canary"
    payload = pickle.dumps(Canary(canary))
    target = tmp_path / "a.fastcompile"
    key = Key({"code": "x"})
    store = Store(tmp_path / "cache")

    def save(path: str, content: bytes = pickle.dumps({"harmless": 1})) -> None:
        members = {**key.members, blob_name(content): content, "execution.py": b"pass"}
        save_artifact(path, {"key": key.manifest_entry}, members)

    def plant(source: Path) -> None:
        entry = store.path_of(key.digest)
        entry.write_bytes(source.read_bytes())
        entry.chmod(0o600)

    save(str(target))
    assert store.put(key, target) is not None
    own = unpack(target)
    blob = next(name for name in own if name.startswith("blobs/"))
    hostile = {name: data for name, data in own.items() if name != blob}
    hostile[blob_name(payload)] = payload
    if attack == "unsigned":
        repack(target, rehash(hostile))
    elif attack == "wrong key":
        mine = data_home / "ipy_fastcompile" / "key"
        kept = mine.read_bytes()
        mine.write_bytes(os.urandom(32))
        save(str(target), payload)
        mine.write_bytes(kept)
    elif attack == "rehashed":
        repack(target, rehash(hostile, signature=own[limits.SIGNATURE]))
    elif attack == "re-signed":
        raw = rehash(hostile)[limits.MANIFEST]
        repack(target, rehash(hostile, signature=sign(raw, b"k" * 32)))
    else:
        repack(target, {**own, blob: payload})
    plant(target)

    for read in (
        lambda: open_artifact(target).verify(),
        lambda: store.lookup(key, strict=True),
    ):
        with pytest.raises(ArtifactCorrupt if attack == "swapped" else ArtifactUntrusted):
            read()
    with pytest.warns(FastCompileWarning, match="cache entry is not used") as warned:
        assert isinstance(store.lookup(key), Miss)
    assert len(warned) == 1
    if attack != "swapped":
        info = inspect(target)
        assert "Path.touch" in str(info)
        assert "its texts are claims" in str(info)
    assert not canary.exists()


def test_the_canary_sings(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Canary(tmp_path / "canary")))
    assert (tmp_path / "canary").exists()


EVIL = b"__import__('os').system('true')\n"


def test_an_edited_text(path: Path) -> None:
    repack(path, {**unpack(path), "execution.py": b"import evil;\n"})  # as long as it was
    artifact = open_artifact(path)
    with pytest.raises(MemberCorrupt, match=r"execution\.py"):
        artifact.read("execution.py")


def test_an_edited_text_with_new_hashes(path: Path) -> None:
    members = unpack(path)
    edited = {**members, "execution.py": EVIL}
    repack(path, rehash(edited, signature=members[limits.SIGNATURE]))
    untrusted(path, "its manifest was changed after this user signed it")


def test_an_edited_text_without_a_signature(path: Path) -> None:
    repack(path, rehash({**unpack(path), "execution.py": EVIL}))
    untrusted(path, "it is unsigned")


def test_an_edited_text_signed_with_a_stolen_name(path: Path, data_home: Path) -> None:
    # The id of this user's key, but not the key.
    key = (data_home / "ipy_fastcompile" / "key").read_bytes()
    edited = {**unpack(path), "execution.py": EVIL}
    forged = f"hmac-sha256 {key_id(key)} {'0' * 64}\n".encode()
    repack(path, rehash(edited, signature=forged))
    untrusted(path, "changed after")


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"hmac-sha256",
        b"hmac-md5 0 0\n",
        b"\xff" * 94,
        b"hmac-sha256 " + b"0" * 16 + b" " + b"0" * 64 + b"\n",
        b"hmac-sha256 " + b"0" * 16 + b" " + b"0" * 64 + b"\nmore",
        b"x" * 100_000,
    ],
)
def test_signatures_that_are_none(path: Path, signature: bytes) -> None:
    repack(path, {**unpack(path), limits.SIGNATURE: signature})
    untrusted(path, "unsigned" if not signature else "another user's key|does not know")


def test_the_signature_of_another_artifact(tmp_path: Path, path: Path) -> None:
    other = tmp_path / "b.fastcompile"
    save_tiny(other, "new")
    signature = unpack(other)[limits.SIGNATURE]
    repack(path, {**unpack(path), limits.SIGNATURE: signature})
    untrusted(path, "changed after")


def test_a_pin_means_exactly_one_file(tmp_path: Path, path: Path) -> None:
    digest = open_artifact(path).digest
    assert read_text(path, trust=digest) == "old"
    other = tmp_path / "b.fastcompile"
    saved = save_tiny(other, "new")
    with pytest.raises(ArtifactUntrusted, match="not the pinned") as caught:
        open_artifact(other, trust=digest)  # although this user signed it
    assert (caught.value.digest, caught.value.expected) == (saved.digest, digest)
    for pin in ("", "yes", "sha256:", digest.upper(), digest[7:], digest + "0", digest + "\n"):
        with pytest.raises(ArtifactUntrusted, match="is not a digest"):
            open_artifact(path, trust=pin)


def test_a_pinned_file_may_be_anywhere(path: Path) -> None:
    path.chmod(0o666)
    path.parent.chmod(0o777)
    digest = inspect(path).digest
    assert read_text(path, trust=digest) == "old"


# --- the key ------------------------------------------------------------------------------------


@pytest.fixture
def key_file(data_home: Path, path: Path) -> Path:
    assert path.exists()
    return data_home / "ipy_fastcompile" / "key"


def test_the_key_is_private_from_the_start(key_file: Path) -> None:
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file.parent.stat().st_mode) == 0o700
    assert key_file.stat().st_size == 32
    assert list(key_file.parent.iterdir()) == [key_file]
    key = key_file.read_bytes()
    assert len(set(key)) > 8
    assert key_id(key) not in key.hex()


def spoil(key_file: Path, how: str, patch: pytest.MonkeyPatch) -> None:
    if how == "readable":
        key_file.chmod(0o644)
    elif how == "group":
        key_file.chmod(0o640)
    elif how == "short":
        key_file.write_bytes(b"x" * 31)
    elif how == "long":
        key_file.write_bytes(b"x" * 33)
    elif how == "empty":
        key_file.write_bytes(b"")
    elif how == "link":
        key_file.rename(key_file.with_name("other"))
        key_file.symlink_to("other")
    elif how == "fifo":
        key_file.unlink()
        os.mkfifo(key_file, 0o600)
    elif how == "directory":
        key_file.unlink()
        key_file.mkdir(0o700)
    elif how == "open directory":
        key_file.parent.chmod(0o777)
    elif how == "foreign":
        give_away(key_file, patch, uid=NOBODY)


@pytest.mark.parametrize(
    "how",
    [
        "readable",
        "group",
        "short",
        "long",
        "empty",
        "link",
        "fifo",
        "directory",
        "open directory",
        "foreign",
    ],
)
def test_a_key_that_is_not_only_ours_is_refused_and_not_repaired(
    path: Path, key_file: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(key_file, how, monkeypatch)
    before = os.lstat(key_file)
    with at_most(120):
        with pytest.raises(KeyFileError, match=str(key_file)):
            open_artifact(path)
        with pytest.raises(KeyFileError, match=str(key_file)):
            save_tiny(path, "new")
        info = inspect(path)
    assert info.trust.state == "unknown"
    assert str(key_file) in str(info)
    after = os.lstat(key_file)
    assert (before.st_mode, before.st_uid, before.st_size) == (
        after.st_mode,
        after.st_uid,
        after.st_size,
    )


def test_another_key_is_another_user(path: Path, key_file: Path) -> None:
    key_file.write_bytes(os.urandom(32))
    untrusted(path, "signed with another user's key")
    key_file.unlink()
    untrusted(path, "this user has no signing key")
    assert not key_file.exists()  # looking makes none


def test_only_the_home_moves_the_key(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # to be ignored, says its specification
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir(0o700)
    monkeypatch.chdir(tmp_path)
    untrusted(path, "no signing key")
    save_tiny(path, "new")
    assert read_text(path) == "new"
    key = tmp_path / "home" / ".local" / "share" / "ipy_fastcompile" / "key"
    assert key.stat().st_size == 32
    assert not (tmp_path / "relative").exists()


def test_the_signature_covers_the_whole_manifest(path: Path, key_file: Path) -> None:
    members = unpack(path)
    raw = members[limits.MANIFEST]
    assert sign(raw, key_file.read_bytes()) == members[limits.SIGNATURE]
    changed = 0
    for at in range(len(raw)):
        other = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        repack(path, {**members, limits.MANIFEST: other})
        with pytest.raises(ArtifactUntrusted, match="changed after"):
            open_artifact(path)
        changed += 1
    assert changed == len(raw)


def test_spaces_in_the_manifest_are_signed_too(path: Path) -> None:
    members = unpack(path)
    raw = json.dumps(json.loads(members[limits.MANIFEST]), indent=1).encode()
    repack(path, {**members, limits.MANIFEST: raw})
    untrusted(path, "changed after")


def test_a_hit_is_signed(tmp_path: Path) -> None:
    store, key = Store(tmp_path / "cache"), Key({"code": "x"})
    store.put(key, lambda path: save_artifact(path, {"key": key.manifest_entry}, key.members))
    hit = store.lookup(key)
    assert isinstance(hit, Hit)
    assert hit.artifact.verdict.state == "own"
