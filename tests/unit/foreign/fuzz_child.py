"""Many damaged copies of each sample -> one line of JSON: what happened, how long, how much memory.

Runs in a process of its own, in which torch cannot be imported, and nothing may unpickle, execute
or open a library: whoever tries leaves the canary file.
"""

from __future__ import annotations

import _pickle
import builtins
import ctypes
import io
import json
import marshal
import os
import pickle
import random
import resource
import shutil
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path


def forbid(canary: Path) -> None:
    """Everything that a loader would need leaves the canary, and raises."""

    def alarm(*args: object, **kwargs: object) -> object:
        canary.touch()
        raise AssertionError(f"called with {str(args)[:200]}")

    for name in ("torch", "numpy", "dill", "cloudpickle", "joblib", "vllm", "triton"):
        sys.modules[name] = None  # type: ignore[assignment]
    for module in (pickle, _pickle):
        module.loads = module.load = module.Unpickler = alarm  # type: ignore[assignment]
    pickle._Unpickler = alarm  # type: ignore[assignment]
    subprocess.Popen = os.system = os.popen = os.execv = alarm  # type: ignore[assignment]
    ctypes.CDLL = alarm  # type: ignore[assignment]
    builtins.eval = alarm  # type: ignore[assignment]
    # Python imports its own modules by these two, and only the library's files are let through;
    # a shell runs the user's own cell by the second.
    real, unmarshal = builtins.exec, marshal.loads

    def guarded_loads(*args: object) -> object:
        is_import = "importlib" in sys._getframe(1).f_code.co_filename
        return unmarshal(*args) if is_import else alarm(*args)  # type: ignore[arg-type]

    marshal.loads = guarded_loads
    marshal.load = alarm  # type: ignore[assignment]

    def guarded(code: object, *args: object) -> object:
        is_library = getattr(code, "co_filename", "").startswith((sys.prefix, sys.base_prefix))
        is_cell = sys._getframe(1).f_code.co_filename.endswith("IPython/core/interactiveshell.py")
        if is_library or is_cell:
            return real(code, *args)  # type: ignore[arg-type]
        return alarm(code)

    builtins.exec = guarded  # type: ignore[assignment]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A copy that is cut, flipped, overwritten, grown or shuffled."""
    kind = chance.randrange(7)
    at = chance.randrange(max(len(data), 1))
    if kind == 0:
        return data[:at]
    copy = bytearray(data)
    if kind == 1:
        for _ in range(chance.choice((1, 4, 64))):
            copy[chance.randrange(len(copy))] ^= 1 << chance.randrange(8)
    elif kind == 2:
        # Where lengths are: the first bytes, and those behind them.
        copy[chance.randrange(min(len(copy), 400))] = chance.randrange(256)
    elif kind == 3:
        copy[at : at + chance.randrange(1, 64)] = chance.randbytes(chance.randrange(64))
    elif kind == 4:
        copy[at:at] = copy[: chance.randrange(200)]
    elif kind == 5:
        copy[at : at + chance.randrange(1, 2_000)] = b""
    else:
        copy[at : at + 8] = chance.choice((b"\xff" * 8, b"\0" * 8, b"\x7f" + b"\xff" * 7))
    return bytes(copy)


def damaged_zip(data: bytes, chance: random.Random) -> bytes:
    """One member is damaged, and the ZIP around it is whole again."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        infos = old.infolist()
        small = [info for info in infos if 0 < info.file_size < 300_000]
        victim = chance.choice(small)
        for info in infos:
            if info.file_size < 300_000:  # the library of a package only costs time
                content = old.read(info)
                new.writestr(info.filename, damaged(content, chance) if info is victim else content)
    return made.getvalue()


def copies(sample: Path, count: int, folder: Path) -> Iterator[object]:
    """Damaged bytes, or a folder with one damaged file."""
    chance = random.Random(sample.name)
    if sample.is_dir():
        copy = folder / sample.name
        shutil.copytree(sample, copy, ignore=shutil.ignore_patterns("*.so", "*.gch", "*.lock"))
        files = sorted(path for path in copy.rglob("*") if path.is_file() and path.stat().st_size)
        for _ in range(count):
            victim = chance.choice(files)
            before = victim.read_bytes()
            victim.write_bytes(damaged(before, chance))
            yield copy
            victim.write_bytes(before)
        return
    data = sample.read_bytes()
    for number in range(count):
        if data.startswith(b"PK") and number % 2:
            yield damaged_zip(data, chance)
        else:
            yield damaged(data, chance)


def main(samples: list[str], count: int, canary: Path, folder: Path) -> None:
    """The child's part."""
    from ipy_fastcompile import errors
    from ipy_fastcompile.foreign.inspect import inspect

    for sample in samples:  # everything that showing needs is imported before the ban
        str(inspect(sample))
    forbid(canary)
    read: Callable[..., object] = inspect
    # The peak of the whole process can only grow: it is that of all samples until now.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for sample in samples:
        slowest, outcomes = 0.0, Counter[str]()
        worst = ""
        for copy in copies(Path(sample), count, folder):
            begun = time.process_time()
            try:
                found = read(copy)
                text, data = str(found), found.to_json()  # type: ignore[attr-defined]
                outcomes["record"] += 1
                assert text
                json.loads(data)
            except errors.FastCompileError as error:
                has_lines = "\n" in str(error)
                outcomes["error of many lines" if has_lines else type(error).__name__] += 1
            except Exception as error:  # noqa: BLE001
                outcomes[f"foreign {type(error).__name__}"] += 1
                worst = worst or f"{type(error).__name__}: {error}"
                (folder / f"crash_{Path(sample).name}").write_bytes(
                    copy if isinstance(copy, bytes) else b""
                )
            slowest = max(slowest, time.process_time() - begun)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        line = {
            "sample": Path(sample).name,
            "outcomes": outcomes,
            "slowest": slowest,
            "kilobytes": grown,
            "worst": worst,
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(sys.argv[4:], int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
