"""Magic -> the options it has, listed once.

Parsing, usage, near names and completion all read these lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from IPython.core.magic_arguments import argument, magic_arguments

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Option:
    """One option of a magic; ``settings`` are those of `argparse`."""

    flags: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes_value(self) -> bool:
        """Whether a value follows the flag."""
        return self.settings.get("action") in {None, "append"}

    @property
    def names_a_model(self) -> bool:
        """Whether its value is a name of the user's namespace."""
        return bool({"-m", "model"} & set(self.flags))


def flags_of(options: Sequence[Option]) -> dict[str, Option]:
    """Flag -> its option; what is given by position has no flag."""
    return {flag: option for option in options for flag in option.flags if flag.startswith("-")}


def _option(*flags: str, **settings: Any) -> Option:
    return Option(flags, settings)


_PATH = _option("path", nargs="?", metavar="PATH", help="the artifact")
_OUTPUT = _option("-o", "--output", metavar="NAME", help="store the result object under NAME")
_HELP = _option("-h", "--help", action="store_true", help="show this text and do nothing else")

COMPILE_OPTIONS = (
    _option("call", nargs="*", metavar="CALL", help="in the line form, the call: model(x)"),
    _OUTPUT,
    _option(
        "--save",
        metavar="PATH",
        help="write the artifact to PATH; an artifact that is there is replaced once the new one "
        "is complete",
    ),
    _option(
        "--dynamic",
        action="append",
        metavar="PATH:DIM[,DIM]",
        help="dimensions of an argument that may change from call to call: ids:1, ids:0,1, "
        "ids:1=seq, ids:1=seq(2,512); dimensions of one name always have equal sizes; "
        "batch.ids:1 and cache.layers[0].keys:2 reach into what an argument holds, cache:2=past "
        "means every tensor in it, and cache.length=n a whole number; auto, alone or as ids:auto, "
        "stands for all sizes that can vary; may be repeated",
    ),
    _option(
        "--split-at",
        action="append",
        metavar="OP",
        help="split the graph at this op, for instance aten::scaled_dot_product_attention, "
        "instead of at attention; may be repeated",
    ),
    _option(
        "--sizes",
        action="append",
        metavar="NAME=N[,N]",
        help="compile extra kernels for these sizes of a dynamic dimension: seq=1,16; may be "
        "repeated",
    ),
    _option(
        "-m",
        "--model",
        metavar="NAME",
        help="compile all calls of NAME (pipe.unet, model.layers[0]) in the cell, each kind of "
        "call as a program, instead of the call in its last statement; where there are several "
        "calls, the cell is run once more with what was compiled",
    ),
    _option(
        "-f",
        "--force",
        action="store_true",
        help="compile even if the cache has it, and replace what it has",
    ),
    _option(
        "--explain",
        action="store_true",
        help="record the passes and fusions of every kernel, also of those that are in a cache "
        "without them: they are compiled anew",
    ),
    _option("--assert-warm", action="store_true", help="fail, and say why, instead of compiling"),
    _option(
        "--runs",
        type=int,
        metavar="N",
        help="fresh processes for each reload path (default: as many as the noise asks for)",
    ),
    _option(
        "--race",
        action="store_true",
        help="time the warm reload even if the cache knows how long it takes",
    ),
    _option(
        "--wait",
        action="store_true",
        help="let the cell wait for the warm reload, so that its report holds the times; without "
        "it they are shown when they are there, unless nobody looks (nbconvert, papermill)",
    ),
    _option("--no-warm", action="store_true", help="do not time the warm reload"),
    _option(
        "--keep-anyway",
        action="store_true",
        help="save even if the result differs from eager's by more than rounding explains",
    ),
    _option(
        "--preview",
        action="store_true",
        help="compile nothing: show into which pieces and kernels the call would be split, by "
        "default and at --split-at; the model itself is called, and -o stores the preview",
    ),
    _option("--no-explorer", action="store_true", help="show the report without the explorer"),
    _option("-q", "--quiet", action="store_true", help="show nothing; use it with -o or --save"),
    _HELP,
)

LOAD_OPTIONS = (
    _PATH,
    _option(
        "model",
        nargs="?",
        metavar="MODEL",
        help="the name of the module, or of a dict of tensors, that holds the weights",
    ),
    _OUTPUT,
    _option(
        "--via",
        choices=("native", "torch", "fx"),
        default="native",
        help="the reload path: bundled binaries alone, torch's loader, or the FX graph",
    ),
    _option(
        "--trust",
        metavar="DIGEST",
        help="load a file that somebody else made, if its digest is exactly this sha256:...",
    ),
    _option(
        "--on-mismatch",
        choices=("error", "recompile"),
        default="error",
        help="what to do with kernels that do not fit this machine",
    ),
    _HELP,
)

INSPECT_OPTIONS = (
    _PATH,
    _option("other", nargs="?", metavar="PATH2", help="another one, to compare it with"),
    _OUTPUT,
    _HELP,
)

CACHE_OPTIONS = (
    _option(
        "command",
        nargs="*",
        metavar="COMMAND",
        help="ls, show KEY, why [KEY], diff A B, prune, clear or path",
    ),
    _option("--cap", metavar="SIZE", help="for prune: keep at most this much, as in 500MB or 2GB"),
    _HELP,
)

VERIFY_OPTIONS = (
    _PATH,
    _OUTPUT,
    _option(
        "--sizes",
        action="append",
        metavar="NAME=N[,N]",
        help="call at these sizes: seq=2,64; may be repeated",
    ),
    _option("--reference", metavar="FILE", help="compare with these saved outputs, too"),
    _option("--write-reference", metavar="FILE", help="save the outputs of eager"),
    _option(
        "--trust",
        metavar="DIGEST",
        help="verify a file that somebody else made, if its digest is exactly this sha256:...",
    ),
    _HELP,
)

# What each magic takes.
OPTIONS = {
    "fastcompile": COMPILE_OPTIONS,
    "fastcompile_load": LOAD_OPTIONS,
    "fastcompile_inspect": INSPECT_OPTIONS,
    "fastcompile_cache": CACHE_OPTIONS,
    "fastcompile_verify": VERIFY_OPTIONS,
}


def takes(options: Sequence[Option]) -> Callable[[F], F]:
    """Give a magic these options: IPython builds its parser, and its usage for ``?``, from them."""

    def decorate(method: F) -> F:
        for option in reversed(options):
            method = argument(*option.flags, **option.settings)(method)
        decorated: F = magic_arguments()(method)
        return decorated

    return decorate
