"""The opcode interpreter: nothing is made, everything is named, and nothing costs much."""

from __future__ import annotations

import collections
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ipy_fastcompile.foreign import limits
from ipy_fastcompile.foreign.budget import Budget, Unpickled
from ipy_fastcompile.foreign.dangers import RUNS, judge
from ipy_fastcompile.foreign.stubs import Huge, Made, Name, Outside, Pairs, brief, field, walk
from ipy_fastcompile.foreign.unpickle import unpickle
from tests.unit.foreign.hostile import COST, NAMES, RUN, nested

PLAIN = {
    "a": [1, -1, 2**40, 2**100, 1.5, None, True, False],
    "b": ("text", "ünïcode", b"bytes", bytearray(b"array")),
    "c": {"nested": {"deeper": [()]}},
}


def read(data: bytes) -> tuple[Unpickled, Budget]:
    budget = Budget()
    return unpickle(data, budget), budget


def plain(value: object) -> object:
    """Pairs back to dicts."""
    if isinstance(value, Pairs):
        return {key: plain(part) for key, part in value.pairs}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(part) for part in value)
    return value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_of_every_protocol_is_read_as_it_was(protocol: int) -> None:
    value = {name: part for name, part in PLAIN.items() if name != "b" or protocol == 5}
    result, budget = read(pickle.dumps(value, protocol=protocol))
    assert result.problem == ""
    assert plain(result.value) == value
    assert set(budget.uses) <= {"_codecs.encode", "builtins.bytearray"}


@pytest.mark.parametrize("protocol", range(3))
def test_bytes_of_old_protocols_are_bytes(protocol: int) -> None:
    result, _ = read(pickle.dumps(b"\x00\xff.", protocol=protocol))
    assert result.value == b"\x00\xff."


class Thing:
    """Something with a state."""

    def __init__(self) -> None:
        self.name = "x"
        self.parts = [1, 2]


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_an_object_is_the_record_of_its_making(protocol: int) -> None:
    result, budget = read(pickle.dumps(Thing(), protocol=protocol))
    assert isinstance(result.value, Made)
    assert field(result.value, "name") == "x"
    assert field(result.value, "parts") == [1, 2]
    (name,) = budget.uses
    assert name.endswith("test_unpickle.Thing")
    assert budget.uses[name].calls == 1


def test_items_and_pairs_of_subclasses_are_kept() -> None:
    result, _ = read(pickle.dumps((collections.OrderedDict(a=1), collections.deque([7]))))
    ordered, queue = result.value
    assert ordered.pairs == [("a", 1)]
    assert queue.items == [7]


def test_sets_are_lists_of_their_members() -> None:
    result, _ = read(pickle.dumps(({1}, frozenset([2])), protocol=4))
    assert result.value == ([1], [2])


def test_a_cycle_ends_every_walk() -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    result, _ = read(pickle.dumps(cycle))
    assert result.value[0] is result.value
    assert len(list(walk(result.value))) == 1
    assert len(brief(result.value)) < 400


def test_an_out_of_band_buffer_and_a_persistent_id_are_outside() -> None:
    data = pickle.dumps(pickle.PickleBuffer(b"x"), protocol=5, buffer_callback=[].append)
    result, _ = read(data)
    assert isinstance(result.value, Outside)
    assert result.value.kind == "out-of-band buffer"
    result, _ = read(COST["persistent id"])
    assert (result.value.kind, result.value.what) == ("persistent id", "weights/0")


def test_a_number_too_long_is_its_length() -> None:
    result, _ = read(COST["long of 16 MB"])
    assert isinstance(result.value, Huge)
    assert result.value.size == 2**24


def test_a_computed_name_is_said_to_be_computed() -> None:
    _, budget = read(RUN["computed name"]("canary"))
    (name,) = [n for n, use in budget.uses.items() if use.is_computed and use.calls]
    assert name == "os.operator.add('sys', 'tem')"


@pytest.mark.parametrize("kind", RUN)
def test_a_hostile_pickle_runs_nothing_and_is_named(kind: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    _, budget = read(RUN[kind](str(canary)))
    assert not canary.exists()
    assert NAMES[kind] in budget.uses
    assert budget.uses[NAMES[kind]].calls or kind == "partial"
    assert judge(NAMES[kind]).rank == RUNS


_CONTROL = "import pickle, sys, time; pickle.loads(bytes.fromhex(sys.stdin.read()))"


@pytest.mark.parametrize("kind", RUN)
def test_the_canary_dies_of_pythons_own_unpickler(kind: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    data = RUN[kind](str(canary)).hex()
    subprocess.run([sys.executable, "-c", _CONTROL], input=data, text=True, capture_output=True)
    deadline = time.monotonic() + 5
    while not canary.exists() and time.monotonic() < deadline:
        time.sleep(0.02)  # popen does not wait
    assert canary.exists()


@pytest.mark.parametrize("kind", COST)
def test_a_costly_pickle_ends_in_a_value_or_a_note(kind: str) -> None:
    result, budget = read(COST[kind])
    assert (result.problem != "") == any(where == "the pickle" for where, _ in budget.notes) or (
        result.problem == ""
    )
    assert len(brief(result.value)) < 2_000
    assert sum(1 for _ in walk(result.value)) <= limits.MAX_VALUES * 2
    assert len(budget.uses) <= limits.MAX_GLOBALS


def test_what_stops_the_reading_is_said() -> None:
    for kind, words in {
        "string of an exabyte": "past the limit",
        "bytes of 4 GB": "past the limit",
        "no stop": "ends before its last opcode",
        "get of nothing": "recalls what it did not remember",
        "negative put": "under no number",
        "odd dict": "a key of it has no value",
        "no utf-8": "is not UTF-8",
    }.items():
        result, _ = read(COST[kind])
        assert words in result.problem, kind


def test_pickles_inside_are_followed_to_a_depth() -> None:
    _, budget = read(nested(3))
    assert "os.system" in budget.uses
    _, budget = read(nested(40))
    assert "os.system" not in budget.uses
    assert any("nested deeper" in why for _, why in budget.notes)


def test_bytes_that_only_begin_like_a_pickle_are_bytes() -> None:
    value = b"\x80\x04 is how a pickle begins"
    result, budget = read(pickle.dumps([value]))
    assert result.value == [value]
    assert not budget.notes
    assert budget.nested(result.value[0]) is None


def test_a_name_of_the_table_is_judged_by_its_longest_part() -> None:
    assert judge("torch.hub.load").rank < judge("torch.nn.Linear").rank
    assert judge("somebody.elses").rank == judge("copyreg extension 7").rank
    assert judge("os").rank == RUNS
    assert isinstance(Name("os.system").text, str)
