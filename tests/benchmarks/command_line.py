"""The words of the command line -> what to measure, and how; unknown names are refused by name."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.benchmarks import decode, growth, native, peers, profiling
from tests.benchmarks.families import FAMILIES
from tests.benchmarks.peer_scripts import PEERS

COMMANDS = ("models", "peers", "decode", "native", "growth", "all")


def _names(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def names(text: str) -> tuple[str, ...]:
        chosen = tuple(part.strip() for part in text.split(",") if part.strip())
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(
                    f"there is no {name!r}; there are {', '.join(known)}"
                )
        if not chosen:
            raise argparse.ArgumentTypeError(f"name some of {', '.join(known)}")
        return chosen

    return names


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _depths(text: str) -> tuple[int, ...]:
    return tuple(sorted({_positive(part.strip()) for part in text.split(",")}))


def _wide(text: str) -> dict[str, int]:
    parts = text.split("x")
    if len(parts) != 3:
        raise argparse.ArgumentTypeError(f"{text!r} is not LAYERSxHIDDENxTOKENS, as 4x1024x128")
    return dict(zip(("layers", "hidden", "tokens"), map(_positive, parts), strict=True))


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure cold compiles and warm reloads, each in fresh processes.",
    )
    commands = parser.add_subparsers(dest="bench", required=True, metavar="BENCH")
    texts = {
        "models": "five model families at real depth: cold, and reloaded along three paths",
        "peers": "PyTorch's own ways of keeping a compiled model, beside ours",
        "decode": "a step of generation, with a cache of a given length, kept in each way",
        "native": "what the native path promises, and what it does",
        "growth": "every stage at growing depth, and which grows worse than linearly",
        "all": "the five above in one run",
    }
    for name in COMMANDS:
        command = commands.add_parser(name, help=texts[name], description=texts[name])
        _add_common(command)
        if name in ("models", "all"):
            command.add_argument(
                "--families",
                type=_names(tuple(FAMILIES)),
                default=tuple(FAMILIES),
                help=f"default: all of {','.join(FAMILIES)}",
            )
        if name in ("peers", "all"):
            command.add_argument(
                "--peers",
                type=_names(tuple(PEERS)),
                default=tuple(PEERS),
                help=f"default: all of {','.join(PEERS)}",
            )
            command.add_argument(
                "--modes",
                type=_names(peers.MODES),
                default=("kept", "shipped"),
                help="kept: caches of the cold run; empty: an empty Inductor cache; "
                "shipped: empty, and no compiler; default: kept,shipped",
            )
        if name in ("decode", "all"):
            command.add_argument(
                "--past",
                type=_positive,
                default=decode.PAST,
                help=f"tokens in the cache before the step, default: {decode.PAST}",
            )
        if name in ("growth", "all"):
            command.add_argument(
                "--depths", type=_depths, default=growth.DEPTHS, help="numbers of layers"
            )
        if name == "growth":
            command.add_argument(
                "--profile",
                choices=profiling.STAGES,
                help="profile one stage instead, split into torch's own time and ours",
            )
        if name in ("native", "all"):
            command.add_argument(
                "--parts",
                type=_names(native.PARTS),
                default=native.PARTS,
                help=f"default: all of {','.join(native.PARTS)}",
            )
            flag = "--native-depths" if name == "all" else "--depths"
            command.add_argument(
                flag,
                dest="native_depths",
                type=_depths,
                default=native.DEPTHS,
                help="numbers of layers whose load times are compared",
            )
            command.add_argument(
                "--wide",
                type=_wide,
                default=native.WIDE,
                metavar="LAYERSxHIDDENxTOKENS",
                help="the model whose kernels dominate, for the times of a call; default: "
                "{layers}x{hidden}x{tokens}".format(**native.WIDE),
            )
    show = commands.add_parser("show", help="print a saved result again")
    show.add_argument("file", type=Path)
    show.add_argument("--markdown", type=Path, help="write Markdown there instead")
    return parser


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--layers", type=_positive, help="another depth than the real one")
    command.add_argument("--runs", type=_positive, help="fresh processes for each median")
    command.add_argument("--json", type=Path, help="write all results there, as they come")
    command.add_argument("--markdown", type=Path, help="write the tables there, as they come")
    command.add_argument("--folder", type=Path, help="keep artifacts, packages and caches there")
    command.add_argument(
        "--timeout", type=float, default=900.0, help="seconds for one process, default: 900"
    )
    command.add_argument("--device", default="cpu", help="default: cpu")
    command.add_argument("--dtype", default="float32", help="default: float32")
    command.add_argument("--hidden", type=_positive, default=64, help="width, default: 64")
    command.add_argument(
        "--inductor-cache",
        type=Path,
        help="use this Inductor cache everywhere; cold compiles are then not cold",
    )
    command.add_argument("--quiet", action="store_true", help="no progress on standard error")
