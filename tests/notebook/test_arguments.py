from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError

from ipy_fastcompile.notebook.arguments import (
    Options,
    expand_options,
    read_dynamic,
    read_options,
    read_sizes,
    read_words,
    split_line,
)
from ipy_fastcompile.notebook.compile_magic import FastCompileMagics
from ipy_fastcompile.notebook.magics import OTHER_MAGICS
from ipy_fastcompile.notebook.options import COMPILE_OPTIONS, LOAD_OPTIONS, OPTIONS

PARSER = FastCompileMagics.fastcompile.parser
USAGE = " %fastcompile? shows what it takes."


def read(line: str, *, is_cell: bool = False) -> Options:
    return read_options(PARSER, line, is_cell=is_cell)


def refused(line: str, *, is_cell: bool = False) -> str:
    with pytest.raises(UsageError) as caught:
        read(line, is_cell=is_cell)
    return str(caught.value)


def test_no_options() -> None:
    assert read("model(x)") == Options(code="model(x)")
    assert read("", is_cell=True) == Options()


def test_every_option_is_read() -> None:
    line = (
        "-o result --save 'my file.fastcompile' --dynamic ids:1=seq(2,512) --split-at aten::mm"
        " --split-at my::attn --sizes seq=1,16 -m model.layers[0] --runs 5 --no-warm"
        " --no-explorer -f -q"
    )
    assert read(line, is_cell=True) == Options(
        output="result",
        save=Path("my file.fastcompile"),
        dynamic={"ids": {1: ("seq", 2, 512)}},
        split_at=("aten::mm", "my::attn"),
        sizes={"seq": [1, 16]},
        model="model.layers[0]",
        runs=5,
        warm=False,
        explorer=False,
        force=True,
        quiet=True,
    )
    assert read("--assert-warm f(x)") == Options(code="f(x)", assert_warm=True)
    assert read("--preview f(x)") == Options(code="f(x)", preview=True)
    assert read("--explain f(x)") == Options(code="f(x)", explain=True)
    assert read("--race --wait f(x)") == Options(code="f(x)", race=True, wait=True)


def test_no_option_is_missing_above() -> None:
    flags = {option.flags[0] for option in COMPILE_OPTIONS}
    assert flags == {
        *(
            "-o",
            "--save",
            "--dynamic",
            "--split-at",
            "--sizes",
            "-m",
            "--runs",
            "--no-warm",
            "--keep-anyway",
            "--preview",
        ),
        *(
            "--no-explorer",
            "-q",
            "-h",
            "call",
            "-f",
            "--assert-warm",
            "--race",
            "--wait",
            "--explain",
        ),
    }


@pytest.mark.parametrize(
    "line",
    [
        "--save a.fastcompile model(x,  'two  blanks', y=-1)",
        "--save=a.fastcompile model(x,  'two  blanks', y=-1)",
        "--save a.fastcompile -- model(x,  'two  blanks', y=-1)",
    ],
)
def test_the_code_of_a_line_is_left_as_it_is(line: str) -> None:
    options = read(line)
    assert options.code == "model(x,  'two  blanks', y=-1)"
    assert options.save == Path("a.fastcompile")


def test_options_end_where_the_code_begins() -> None:
    assert read("-q model(x) -m") == Options(code="model(x) -m", quiet=True)


def test_a_home_directory_is_expanded() -> None:
    assert read("--save ~/a.fastcompile m(x)").save == Path.home() / "a.fastcompile"


def test_a_semicolon_ends_the_line_of_a_cell() -> None:
    assert read("--save a.fastcompile;", is_cell=True).save == Path("a.fastcompile")
    assert read("--no-warm ;", is_cell=True).warm is False


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--svae a.fastcompile", ["--svae", "--save"]),
        ("--no-explore", ["--no-explore", "--no-explorer"]),
        ("--split aten::mm", ["--split", "--split-at"]),
        ("--dynmic=x:1", ["--dynmic", "--dynamic"]),
    ],
)
def test_an_unknown_option_names_near_ones(line: str, words: list[str]) -> None:
    message = refused(line, is_cell=True)
    assert message.startswith(f"%fastcompile has no option {words[0]}. Did you mean ")
    assert words[1] in message
    assert "\n" not in message


def test_an_unknown_option_that_is_near_nothing_gets_no_guess() -> None:
    assert refused("--zzz") == "%fastcompile has no option --zzz. %fastcompile? lists them all."


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--save", "--save needs a value: --save PATH."),
        ("-m", "-m needs a value: -m NAME."),
        ("--save --no-warm", "--save needs a value: --save PATH."),
        ("--runs 0", "--runs is 0, and at least 1 process is needed."),
        ("--runs many", f"argument --runs: invalid int value: 'many'.{USAGE}"),
        ("-o 2x", "-o stores the result under a Python name, and '2x' is none."),
        ("-o class", "-o stores the result under a Python name, and 'class' is none."),
        ("--no-warm=3", f"argument --no-warm: ignored explicit argument '3'.{USAGE}"),
    ],
)
def test_a_value_that_does_not_fit_is_named(line: str, message: str) -> None:
    assert refused(line, is_cell=True) == message


def test_code_on_the_first_line_of_a_cell_is_refused() -> None:
    assert "'model(x)'" in refused("--no-warm model(x)", is_cell=True)


@pytest.mark.parametrize(
    ("texts", "dynamic"),
    [
        ([], None),
        (["ids:1"], {"ids": {1: "ids_length"}}),
        (["ids:0,1"], {"ids": {0: "ids_batch", 1: "ids_length"}}),
        (["ids:-1"], {"ids": {-1: "ids_last"}}),
        (["ids:0=batch,1=seq(2,512)"], {"ids": {0: "batch", 1: ("seq", 2, 512)}}),
        (["ids:1=seq(2, 512)"], {"ids": {1: ("seq", 2, 512)}}),
        (["ids:1=seq", "mask:1=seq"], {"ids": {1: "seq"}, "mask": {1: "seq"}}),
        (["ids:0", "ids:1"], {"ids": {0: "ids_batch", 1: "ids_length"}}),
        (["batch.ids:1"], {"batch.ids": {1: "batch_ids_length"}}),
        (["pair.0:1=n"], {"pair.0": {1: "n"}}),
        (["batch[a:b]:1=n"], {"batch[a:b]": {1: "n"}}),
        (["c.layers[0].keys:2"], {"c.layers[0].keys": {2: "c_layers_0_keys_length"}}),
        (["c.layers[*].keys:-2=past"], {"c.layers[*].keys": {-2: "past"}}),
        (["c.length=n", "c:2=past"], {"c.length": "n", "c": {2: "past"}}),
        (["c.length=n(2,9)"], {"c.length": ("n", 2, 9)}),
        (["auto"], "auto"),
        (["auto", "ids:1=seq"], {"*": "auto", "ids": {1: "seq"}}),
        (["ids:auto"], {"ids": "auto"}),
    ],
)
def test_dynamic(texts: list[str], dynamic: Any) -> None:
    assert read_dynamic(texts) == dynamic


@pytest.mark.parametrize(
    "text",
    ["ids", "ids:", ":1", "ids:one", "ids:1=", "ids:1=2", "ids:1=seq(2)", "ids:1=seq(9,2)", "n="],
)
def test_a_dynamic_that_does_not_fit_is_named(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_dynamic([text])
    assert str(caught.value).startswith(f"--dynamic {text}")


def test_two_things_said_of_one_path_are_refused() -> None:
    with pytest.raises(UsageError, match="says something else of ids"):
        read_dynamic(["ids:auto", "ids:1"])


def test_sizes() -> None:
    assert read_sizes([]) is None
    assert read_sizes(["seq=1,16", "batch=2", "seq=64"]) == {"seq": [1, 16, 64], "batch": [2]}


@pytest.mark.parametrize("text", ["seq", "seq=", "=1", "seq=1,", "seq=0", "seq=x", "seq=-1"])
def test_sizes_that_do_not_fit_are_named(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_sizes([text])
    assert str(caught.value) == f"--sizes {text} should look like NAME=N,N, for instance seq=1,16."


def test_split_line_joins_a_value_to_its_option() -> None:
    assert split_line('--save "-odd name" f(x)', COMPILE_OPTIONS, "fastcompile") == (
        ["--save=-odd name"],
        "f(x)",
    )


def test_options_and_names_of_load_may_be_mixed() -> None:
    words = read_words("a.fastcompile --via torch model;", LOAD_OPTIONS, "fastcompile_load")
    assert words == ["a.fastcompile", "--via", "torch", "model"]
    with pytest.raises(UsageError, match=r"%fastcompile_load has no option --vai. Did you mean"):
        read_words("a.fastcompile m --vai fx", LOAD_OPTIONS, "fastcompile_load")


@pytest.mark.parametrize("magic", OPTIONS)
def test_usage_lists_every_option(magic: str) -> None:
    owner = next(c for c in (FastCompileMagics, *OTHER_MAGICS) if hasattr(c, magic))
    usage = getattr(owner, magic).__doc__
    assert f"%{magic}" in usage
    for option in OPTIONS[magic]:
        assert all(flag in usage or flag.upper() in usage for flag in option.flags)
        assert option.settings["help"].split()[0] in usage


@pytest.mark.parametrize(
    ("line", "options", "code"),
    [
        ("model({'a': x})", "", "model({'a': x})"),
        ("{'a': m}['a'](x)", "", "{'a': m}['a'](x)"),
        ("-q model({'a': x})", "-q ", "model({'a': x})"),
        ("--save {name}.x -q model({'a': x})", "--save {name}.x -q ", "model({'a': x})"),
        ("--save={a / b}.x {f}(x)", "--save={a / b}.x ", "{f}(x)"),
        ("--save '{a} b' model(x)", "--save '{a} b' ", "model(x)"),
        ("-m {m} run({1: 2})", "-m {m} ", "run({1: 2})"),
        ("{options} $more model($x)", "{options} $more ", "model($x)"),
        ("-q -- -model({1})", "-q ", "-- -model({1})"),
        ("-q", "-q", ""),
        ("--save", "--save", ""),
    ],
)
def test_variables_are_replaced_in_options_and_not_in_the_call(
    line: str, options: str, code: str
) -> None:
    seen: list[str] = []

    def expand(text: str) -> str:
        seen.append(text)
        return "<options>"

    assert expand_options(line, COMPILE_OPTIONS, expand, is_cell=False) == f"<options>{code}"
    assert seen == [options]
    assert expand_options(line, COMPILE_OPTIONS, expand, is_cell=True) == "<options>"
