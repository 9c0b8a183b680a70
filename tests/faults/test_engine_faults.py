"""Faults 29 to 31, and 3, 4, 7 and 8 at a load: real artifacts where they do not fit, end to end.

The machine is another one where the child process says so, or the artifact where its stamp does.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.artifact import open_artifact
from ipy_fastcompile.cache import build, cached
from ipy_fastcompile.cache.cached import CachedResult, compile_cached
from ipy_fastcompile.cache.key import machine as key_machine
from ipy_fastcompile.cache.store import Store
from ipy_fastcompile.errors import ArtifactIncompatible, FastCompileWarning
from ipy_fastcompile.runtime.machine import cpu_flags, machine_stamp
from ipy_fastcompile.verification.check import largest_difference
from tests.faults.loads import load_all, resave
from tests.tiny import another

pytestmark = pytest.mark.slow
PATHS = ("native", "torch", "fx")

OTHER_VERSIONS = """
torch.__version__ = "9.9.9+other"
importlib.machinery.EXTENSION_SUFFIXES[:] = [".cpython-399-riscv64-linux-gnu.so"]
platform.machine = lambda: "riscv64"
machine.cpu_flags = lambda: ("rvv",)
"""


def with_stamp(**entries: Any) -> Callable[[Any, Any], None]:
    """The artifact of a machine whose stamp has these entries."""

    def change(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        manifest["stamp"] = {**manifest["stamp"], **entries}

    return change


@pytest.fixture
def own(tiny_artifact: Path, tmp_path: Path, data_home: Path) -> Path:
    """The artifact, signed with the key of this test."""
    return resave(tiny_artifact, tmp_path / "own.fastcompile", lambda manifest, members: None)


@pytest.fixture
def ask(
    tmp_path: Path, tiny_compiled: Any, tiny_model: Any, tiny_ids: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], CachedResult]:  # fmt: skip
    """Ask a cache of its own for the model; compiling it takes no time."""
    monkeypatch.setattr(build, "compile", lambda *_, **__: another(tiny_compiled))
    # Only the key is told of another machine; what was compiled does not fit that one.
    monkeypatch.setattr(cached, "keepable", lambda compiled: "")
    store = Store(tmp_path / "cache")
    return lambda: compile_cached(tiny_model, (tiny_ids,), dynamic={"ids": {1: "seq"}}, store=store)


# --- 29: other versions --------------------------------------------------------------------------


def test_other_versions_are_all_named_before_anything_is_decoded(own: Path) -> None:
    loads = [(own, via, None) for via in PATHS]
    for outcome in load_all(loads, compiler=True):  # here; what is counted is there to be counted
        assert outcome.is_right
        assert outcome.decoded > 0
    for outcome in load_all(loads, compiler=True, before=OTHER_VERSIONS):
        assert (outcome.error, outcome.own) == ("ArtifactIncompatible", True)
        assert outcome.decoded == 0
        stamp = open_artifact(own).manifest["stamp"]
        for name, found in (
            ("torch", "9.9.9+other"),
            ("python", "cpython-399-riscv64-linux-gnu"),
            ("platform", "linux-riscv64"),
        ):
            assert f"{name}: made with {stamp[name]}, here {found}" in outcome.message
        assert f"cpu_flags: needs {', '.join(stamp['cpu_flags'])}, which" in outcome.message
        assert "(it has rvv)" in outcome.message


@pytest.mark.parametrize("name", ["torch", "python", "platform", "triton", "something new"])
def test_each_entry_of_the_stamp_is_compared(own: Path, tiny_model: Any, name: str) -> None:
    # "triton" and "something new" are what another version of this package may come to need.
    path = resave(own, own.with_name("other.fastcompile"), with_stamp(**{name: "7.7.7"}))
    with pytest.raises(ArtifactIncompatible, match=f"{name}: made with 7.7.7, here") as caught:
        fc.load(path, tiny_model)
    assert [difference.name for difference in caught.value.differences] == [name]
    assert caught.value.path == str(path)


def test_without_a_compiler_a_recompile_is_refused_in_words(own: Path, tmp_path: Path) -> None:
    outcomes = load_all(
        [(own, via, None) for via in PATHS],
        before=OTHER_VERSIONS,
        on_mismatch="recompile",
        environment={
            "PATH": "", "CXX": "/nonexistent", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "empty")
        },
    )  # fmt: skip
    for outcome in outcomes:
        assert (outcome.error, outcome.own) == ("LowerError", True)
        assert "kernel_0 cannot be compiled on this machine" in outcome.message
        assert "No working C++ compiler" in outcome.message


def test_a_graph_of_another_library_version_is_refused_in_words(
    own: Path, tiny_model: Any, tiny_ids: Any
) -> None:
    """Names move between versions of libraries that no stamp knows."""
    from ipy_fastcompile.artifact import blob_name
    from ipy_fastcompile.artifact.squeeze import squeeze, unsqueeze

    def rename(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        program = manifest["programs"][0]
        graph = unsqueeze(members.pop(program["fx"]), "fx")
        assert b"torch._subclasses" in graph or b"torch.fx" in graph
        renamed = squeeze(graph.replace(b"torch.fx", b"torch.gx"))
        program["fx"] = blob_name(renamed)
        members[program["fx"]] = renamed

    path = resave(own, own.with_name("renamed.fastcompile"), rename)
    with pytest.raises(ArtifactIncompatible, match=r"FX graph.*cannot be decoded.*torch\.gx"):
        fc.load(path, tiny_model, via="fx")
    with torch.no_grad():
        assert largest_difference(tiny_model(tiny_ids), fc.load(path, tiny_model)(tiny_ids)) < 1e-4


def other_torch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(torch, "__version__", "9.9.9")


def other_triton(patch: pytest.MonkeyPatch) -> None:
    version = key_machine._version
    patch.setattr(key_machine, "_version", lambda n: "9.9.9" if n == "triton" else version(n))


def other_cpu(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("ipy_fastcompile.runtime.machine.cpu_flags", lambda: ("rvv",))


@pytest.mark.parametrize(
    ("change", "entry", "found"),
    [
        (other_torch, "torch", "9.9.9"),
        (other_triton, "triton", "9.9.9"),
        (other_cpu, "cpu_flags", "rvv"),
    ],
)
def test_another_machine_is_another_key_and_the_miss_says_what(
    ask: Callable[[], CachedResult], monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pytest.MonkeyPatch], None], entry: str, found: str,
) -> None:  # fmt: skip
    assert not ask().hit
    assert ask().hit
    with monkeypatch.context() as other:
        change(other)
        missed = ask()
    assert not missed.hit
    (line,) = missed.why_miss
    assert line.startswith(f"{entry}: ")
    assert line.endswith(f" -> {found}")
    assert ask().hit


# --- 30: another CPU -----------------------------------------------------------------------------


def test_instructions_that_this_cpu_lacks_are_named_beside_those_it_has(
    own: Path, tiny_model: Any
) -> None:
    needed = [*cpu_flags(), "avx10_9", "amx_future"]
    path = resave(own, own.with_name("newer.fastcompile"), with_stamp(cpu_flags=needed))
    with pytest.raises(ArtifactIncompatible) as caught:
        fc.load(path, tiny_model)
    (difference,) = caught.value.differences
    assert difference == ("cpu_flags", ["amx_future", "avx10_9"], sorted(cpu_flags()))
    assert (
        "cpu_flags: needs amx_future, avx10_9, which this CPU does not have "
        f"(it has {', '.join(sorted(cpu_flags()))})"
    ) in str(caught.value)


def test_a_cpu_with_more_instructions_runs_it(own: Path) -> None:
    more = f"machine.cpu_flags = lambda: {(*cpu_flags(), 'avx10_9')!r}"
    (outcome,) = load_all([(own, "native", None)], before=more)
    assert outcome.is_right


@pytest.mark.parametrize("capability", ["default", "avx2", "avx512"])
def test_other_vector_instructions_give_the_same_numbers_or_are_named(
    own: Path, capability: str, tmp_path: Path
) -> None:
    """The binaries run where the CPU can; C++ is never compiled again for another width.

    Before that was checked, PyTorch's loader compiled it, and the numbers were wrong.
    """
    native, *others = load_all(
        [(own, via, None) for via in PATHS],
        compiler=True,
        environment={"ATEN_CPU_CAPABILITY": capability},
    )
    assert native.is_right
    for outcome in others:
        if outcome.error:
            assert (outcome.error, outcome.own) == ("ArtifactIncompatible", True)
            assert "vector_isa: made with" in outcome.message
            assert outcome.decoded == 0
        else:
            assert outcome.is_right
    if capability == "default":  # compiling without any is another choice on every machine
        assert {outcome.error for outcome in others} == {"ArtifactIncompatible"}


def test_an_artifact_for_narrower_vectors_is_not_compiled_for_wider_ones(
    own: Path, tiny_model: Any, tiny_ids: Any
) -> None:
    recorded = open_artifact(own).manifest["stamp"]["vector_isa"]
    path = resave(own, own.with_name("narrow.fastcompile"), with_stamp(vector_isa="sse"))
    for via in ("torch", "fx"):
        with pytest.raises(ArtifactIncompatible, match=f"made with sse, here {recorded}"):
            fc.load(path, tiny_model, via=via)
    with torch.no_grad():
        assert largest_difference(tiny_model(tiny_ids), fc.load(path, tiny_model)(tiny_ids)) < 1e-4


def test_vector_instructions_chosen_by_hand_are_another_key(
    ask: Callable[[], CachedResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask()
    other = "avx2" if os.environ.get("ATEN_CPU_CAPABILITY") != "avx2" else "default"
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", other)
    missed = ask()
    assert not missed.hit
    assert any(
        "environment" in s and f"ATEN_CPU_CAPABILITY = '{other}'" in s for s in missed.why_miss
    )


# --- 31: another GPU, or none --------------------------------------------------------------------


def test_a_gpu_that_is_not_there_is_named(
    own: Path, tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    path = resave(own, own.with_name("gpu.fastcompile"), with_stamp(cuda="12.8", gpu="sm_90"))
    for via in PATHS:
        with pytest.raises(ArtifactIncompatible) as caught:
            fc.load(path, tiny_model, via=via)
        assert "cuda: made with 12.8, here none; gpu: made with sm_90, here none" in str(
            caught.value
        )
        assert [difference.name for difference in caught.value.differences] == ["cuda", "gpu"]


def test_another_gpu_is_named(own: Path, tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (8, 0))
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    path = resave(own, own.with_name("gpu.fastcompile"), with_stamp(cuda="12.8", gpu="sm_90"))
    with pytest.raises(ArtifactIncompatible, match="gpu: made with sm_90, here sm_80") as caught:
        fc.load(path, tiny_model)
    assert [difference.name for difference in caught.value.differences] == ["gpu"]
    same = resave(own, own.with_name("same.fastcompile"), with_stamp(cuda="12.8", gpu="sm_80"))
    assert fc.load(same, tiny_model).via == "native"


def test_an_artifact_for_the_cpu_does_not_ask_for_a_gpu(
    own: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Any
) -> None:
    def fail(*_: object) -> bool:
        raise AssertionError("nobody should ask")

    monkeypatch.setattr(torch.cuda, "get_device_capability", fail)
    assert "gpu" not in open_artifact(own).manifest["stamp"]
    assert "gpu" not in machine_stamp()
    assert fc.load(own, tiny_model).kernel_ways == ("native",) * 3


def test_hidden_gpus_are_named(own: Path) -> None:
    here = str(torch.version.cuda or "none")
    path = resave(own, own.with_name("gpu.fastcompile"), with_stamp(cuda=here, gpu="sm_90"))
    (outcome,) = load_all([(path, "native", None)], environment={"CUDA_VISIBLE_DEVICES": ""})
    assert (outcome.error, outcome.own, outcome.decoded) == ("ArtifactIncompatible", True, 0)
    assert "gpu: made with sm_90, here none." in outcome.message
    assert "cuda" not in outcome.message


# --- 3 and 4: no room for the binaries of a load -------------------------------------------------


@pytest.mark.parametrize("limit", [0, 1000, 10_000])
def test_binaries_that_cannot_be_written_are_named(own: Path, limit: int) -> None:
    """A library that was cut while it was written, once mapped, would kill the process."""
    full = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
    )
    (outcome,) = load_all([(own, "native", None)], before=full)
    assert (outcome.error, outcome.own, outcome.libraries) == ("KernelError", True, 0)
    assert "cannot be written to a temporary directory" in outcome.message
    assert "TMPDIR" in outcome.message


# --- 7 and 8: damage to an artifact with kernels -------------------------------------------------


def test_damage_to_a_whole_artifact_never_gives_another_number(
    own: Path, tiny_model: Any, tiny_ids: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cut and flipped at places all over the file; the native path does not read all of it."""
    whole = own.read_bytes()
    damaged = own.with_name("damaged.fastcompile")
    damaged.touch(mode=0o600)
    with torch.no_grad():
        expected = tiny_model(tiny_ids)
    chosen = random.Random(0)
    places = {*range(0, len(whole), len(whole) // 300), *chosen.sample(range(len(whole)), 200)}
    outcomes: Counter[str] = Counter()

    def attempt(data: bytes, via: str) -> str:
        damaged.write_bytes(data)
        try:
            function = fc.load(damaged, tiny_model, via=via)
        except errors.ArtifactCorrupt as error:
            return type(error).__name__
        difference = largest_difference(expected, function(tiny_ids))
        assert difference < 1e-4
        return "loaded, right"

    for at in sorted(places):
        assert attempt(whole[:at], "native") == "ContainerCorrupt"
        outcomes["cut: ContainerCorrupt"] += 1
        flipped = bytearray(whole)
        flipped[at] ^= 1 << chosen.randrange(8)
        outcomes[f"flipped: {attempt(bytes(flipped), 'native')}"] += 1
    assert outcomes.total() == 2 * len(places)
    assert set(outcomes) == {
        "cut: ContainerCorrupt",
        "flipped: ContainerCorrupt",
        "flipped: MemberCorrupt",
        "flipped: loaded, right",
    }
    with capsys.disabled():
        print(f"\n{len(places)} places of {len(whole)} bytes: {dict(outcomes)}")


def test_what_the_native_path_did_not_read_is_noticed_by_the_path_that_does(
    own: Path, tiny_model: Any, tiny_ids: Any
) -> None:
    fx = open_artifact(own).manifest["programs"][0]["fx"]
    damaged = bytearray(own.read_bytes())
    damaged[damaged.index(open_artifact(own).read(fx)) + 100] ^= 1
    own.write_bytes(damaged)
    assert fc.load(own, tiny_model).via == "native"
    with pytest.raises(errors.MemberCorrupt, match=fx):
        fc.load(own, tiny_model, via="fx")


def test_a_misfit_recompiled_warns_once_and_computes_eagers_numbers(
    own: Path, tiny_model: Any, tiny_ids: Any
) -> None:
    path = resave(own, own.with_name("other.fastcompile"), with_stamp(torch="1.0", gpu="sm_90"))
    with pytest.warns(FastCompileWarning, match=r"torch: made with 1\.0.*gpu: made with") as said:
        function = fc.load(path, tiny_model, on_mismatch="recompile")
    assert len([warning for warning in said if warning.category is FastCompileWarning]) == 1
    with torch.no_grad():
        assert largest_difference(tiny_model(tiny_ids), function(tiny_ids)) < 1e-4
