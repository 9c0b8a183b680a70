"""The files of a cache -> its entries, and what keeps a key from the nearest of them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..artifact import OpenArtifact
from ..artifact.inert import inert
from ..artifact.outline import read_outline
from ..artifact.peek import Glimpse, peek
from ..errors import ArtifactError, CacheError
from ..frozen import frozen
from ..views import view_of
from .changes import Change, diff_components
from .key.components import KEY_MEMBER, Key, recorded_digests
from .summarise import summarise
from .sweep import ENTRY_SUFFIX, StoredFile, list_files

_STRUCTURE = "structure"
# What the components of a key begin with.
_MODEL = re.compile(r"model = ([\w.<>]+)")
_FUNCTION = re.compile(r"the model = (?:function )?([\w.<>]+)")
_METHOD = re.compile(r"^the model\.__func__ = function ([\w.<>]+)", re.MULTILINE)


@frozen
class Entry:
    """A file of the cache. ``size`` in bytes, ``used`` (last hit or save) in seconds since 1970.

    ``programs`` are the names of its programs, "" for a single one. ``problem`` says why it cannot
    be read, and is empty where it can; the fields after ``used`` are then empty.
    """

    digest: str
    path: Path
    size: int
    used: float
    created: str = ""
    model: str = ""
    components: tuple[tuple[str, str], ...] = ()  # name, SHA-256 of its text
    programs: tuple[str, ...] = ()
    problem: str = ""

    @property
    def last_used(self) -> str:
        """When it was used last, in local time to the minute."""
        seconds = max(0, min(self.used, 2**35))
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))

    @property
    def what(self) -> str:
        """The model, without active characters, and how many programs of it there are."""
        several = f", {len(self.programs)} programs" if len(self.programs) > 1 else ""
        return inert(self.model, limit=80) + several


@frozen
class Explanation:
    """What keeps a key from its nearest entry: `changes`, old -> new; `str` for a terminal.

    ``model`` is the name of what the key is of, empty where that is not known.
    """

    digest: str
    nearest: Entry | None
    components: int
    changes: tuple[Change, ...]
    note: str = ""
    model: str = ""

    @property
    def facts(self) -> tuple[str, ...]:
        """One to three lines that tell most, without active characters."""
        if self.nearest is None or self.is_of_another_model:
            model = inert(self.model, limit=80) or "this model"
            return (inert(self.note) or f"first compile of {model}",)
        return summarise(self.changes)

    @property
    def lines(self) -> tuple[str, ...]:
        """All that differs, one line a fact, without active characters."""
        if self.nearest is None:
            return self.facts
        name = self.nearest.what
        about = f"{self.nearest.digest[:12]}{f' ({name})' if name else ''}"
        differ = f"{len(self.changes)} of {self.components} components differ"
        if self.is_of_another_model:
            return (f"{self.facts[0]}: the nearest entry is {about}, and {differ}",)
        head = f"nearest entry {about}: {differ}"
        return (head, *(line for change in self.changes for line in str(change).split("\n")))

    @property
    def details(self) -> tuple[str, ...]:
        """The `lines` where they are more than the `facts` and a heading."""
        return self.lines if len(self.lines) > len(self.facts) + 1 else ()

    @property
    def is_of_another_model(self) -> bool:
        """Whether the nearest entry has another class and other parameters: no line of it helps."""
        changed = {change.component: change for change in self.changes}
        if not {_STRUCTURE, "parameters"} <= changed.keys():
            return False
        old, new = changed[_STRUCTURE].old, changed[_STRUCTURE].new
        return None not in (old, new) and _first_line(old) != _first_line(new)

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return f"<{self.digest[:12]}: {'; '.join(self.facts)}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle: dict[str, str] = view_of("Explanation._repr_mimebundle_")(self)
        return bundle


def _first_line(text: str | None) -> str:
    """Of the component ``structure``: the class of the model."""
    return (text or "").partition("\n")[0]


def model_of(key: Key) -> str:
    """The name of what a key is of, as entries have it: of a class, or of a function."""
    structure, call = (key.components.get(name, "") for name in (_STRUCTURE, "call"))
    method = _METHOD.search(call)
    said = method or _MODEL.match(structure) or _FUNCTION.match(call)
    return said[1].rpartition(".")[2] if said else ""


def list_entries(directory: Path) -> tuple[Entry, ...]:
    """Every entry, the most recently used first. Raises `CacheError`."""
    entries = [_read_entry(file) for file in list_files(directory) if file.kind == "entry"]
    return tuple(sorted(entries, key=lambda entry: -entry.used))


def read_key(entry: Entry) -> Key:
    """The key that an entry records, with the texts of its components.

    Raises `CacheError` when it records none, and `ArtifactError` when it cannot be read.
    """
    glimpse = peek(str(entry.path), (KEY_MEMBER,))
    if KEY_MEMBER not in glimpse.members:
        raise CacheError(
            f"{entry.path} does not record the texts of its key.",
            "Save it with key.members among its members.",
            path=str(entry.path),
        )
    return Key.from_member(glimpse.members[KEY_MEMBER], str(entry.path))


def explain_key(key: Key, entries: Iterable[Entry]) -> Explanation:
    """Compare ``key`` with the entry that shares most components, one of its model if there is."""
    model = model_of(key)
    others = [entry for entry in entries if not entry.problem and entry.digest != key.digest]
    if not others:
        return Explanation(key.digest, None, len(key.components), (), model=model)
    nearest = min(others, key=lambda entry: (entry.model != model, len(_differing(entry, key))))
    names = _differing(nearest, key)
    recorded: Mapping[str, str]
    try:
        recorded = read_key(nearest).components
    except (ArtifactError, CacheError):
        recorded = {}  # the changes then say that the old text is not recorded
    old = {name: recorded.get(name) for name, _ in nearest.components if name in names}
    new = {name: text for name, text in key.components.items() if name in names}
    changes = diff_components(old, new)
    return Explanation(key.digest, nearest, len(key.components), changes, model=model)


def _differing(entry: Entry, key: Key) -> set[str]:
    recorded = dict(entry.components)
    names = {*recorded, *key.digests}
    return {name for name in names if recorded.get(name) != key.digests.get(name)}


def _read_entry(file: StoredFile) -> Entry:
    digest = file.path.name.removesuffix(ENTRY_SUFFIX)
    try:
        glimpse = peek(str(file.path))
        _, components = recorded_digests(glimpse.manifest, str(file.path))
    except ArtifactError as error:
        return Entry(digest, file.path, file.size, file.modified, problem=error.what)
    return make_entry(file, glimpse, components)


def make_entry(
    file: StoredFile, found: Glimpse | OpenArtifact, components: Mapping[str, str]
) -> Entry:
    """The entry that ``file`` is, from what was found in it and its key's components."""
    outline = read_outline(found.manifest)
    return Entry(
        digest=file.path.name.removesuffix(ENTRY_SUFFIX),
        path=file.path,
        size=file.size,
        used=file.modified,
        created=found.common.created,
        model=outline.model,
        components=tuple(components.items()),
        programs=tuple(program.name for program in outline.programs),
    )
