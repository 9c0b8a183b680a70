"""What torch.export refuses is told in the user's terms, with the line, and advice that works."""

from __future__ import annotations

import functools
import logging
import re
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.sizes.constraints import explain_constraints
from ipy_fastcompile.errors import CallError, CaptureError

X = torch.ones(3, 4)


def branches(x: torch.Tensor) -> torch.Tensor:
    if x.sum() > 0:
        return x + 1
    return x - 1


def prints(x: torch.Tensor) -> torch.Tensor:
    print(f"mean {x.mean().item():.3f}")
    return x * 2


def logs(x: torch.Tensor) -> torch.Tensor:
    logging.getLogger("model").warning("mean %.3f", float(x.mean()))
    return x * 2


def formats(x: torch.Tensor) -> torch.Tensor:
    name = f"{x.mean():.2f}"
    return x + len(name)


def takes_float(x: torch.Tensor) -> torch.Tensor:
    return x * float(x.mean())


def takes_int(x: torch.Tensor) -> list[torch.Tensor]:
    return [x] * int(x.sum())


def ranges(x: torch.Tensor) -> torch.Tensor:
    for _ in range(int(x.sum().item())):
        x = x + 1
    return x


def asserts(x: torch.Tensor) -> torch.Tensor:
    assert (x > 0).all()
    return x + 1


def compares(x: torch.Tensor) -> torch.Tensor:
    return x + 1 if torch.equal(x, x) else x


def sizes_of_data(x: torch.Tensor) -> torch.Tensor:
    found = x.nonzero()
    return x if found.shape[0] > 3 else x + 1


def to_numpy(x: torch.Tensor) -> torch.Tensor:
    return torch.frombuffer(bytearray(x.numpy().tobytes()), dtype=torch.float32)


def points(x: torch.Tensor) -> torch.Tensor:
    return x + x.data_ptr()


def differentiates(x: torch.Tensor) -> Any:
    y = x.clone().requires_grad_()
    (y * 2).sum().backward()
    return y.grad


def mixes_devices(x: torch.Tensor) -> torch.Tensor:
    return x + torch.ones(3, 4, device="meta")


def wrong_shapes(x: torch.Tensor) -> torch.Tensor:
    return x @ torch.ones(3, 3)


def concatenates(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, torch.ones(2, 2)])


def raises(x: torch.Tensor) -> torch.Tensor:
    raise ValueError("the user's own words")


def has_none(x: torch.Tensor) -> Any:
    return x.nothing()


def yields(x: torch.Tensor) -> Any:
    yield x


def endless(x: torch.Tensor) -> torch.Tensor:
    return endless(x + 1)


def in_a_thread(x: torch.Tensor) -> torch.Tensor:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: x + 1).result()


@torch.library.custom_op("failures_test::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
    return x * 2


CASES: dict[Callable[..., Any], tuple[str, str]] = {
    branches: ("branches on the values", r"torch\.where"),
    prints: ("puts the value of a tensor into text", "Take the print"),
    logs: ("puts the value of a tensor into text", "Take the print"),
    formats: ("puts the value of a tensor into text", "Take the print"),
    takes_float: ("as a Python number", "Compute it with tensors"),
    takes_int: ("as a Python number", "Compute it with tensors"),
    ranges: ("as a Python number", "Compute it with tensors"),
    asserts: ("asserts something", "before the call"),
    compares: (r"out of tensors with aten\.equal", "Compute it with tensors"),
    sizes_of_data: ("branches on a size that depends", r"torch\._check"),
    to_numpy: ("leaves torch for NumPy", "torch's functions"),
    points: ("the memory of a tensor", "custom_op"),
    differentiates: ("computes gradients", "gradients outside"),
    mixes_devices: ("several devices.*cpu and meta", r"device=x\.device"),
    wrong_shapes: (r"RuntimeError: a and b must.*\[3, 4\] X \[3, 3\]", "takes this call"),
    concatenates: ("RuntimeError: Sizes of tensors must match", "takes this call"),
    raises: ("raised ValueError at .*: the user's own words", "takes this call"),
    has_none: ("raised AttributeError at .*'Tensor' object has no", "takes this call"),
    endless: ("calls itself", "takes this call"),
    in_a_thread: ("in another thread", "in forward itself"),
}


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_a_refusal_says_what_and_where_and_what_to_do(
    function: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    what, hint = CASES[function]
    with pytest.raises(CaptureError, match=what) as caught:
        capture(function, (X,))
    error = caught.value
    assert re.search(hint, error.hint), error.hint
    assert function.__name__ in error.what
    if function is not in_a_thread:
        assert f"{__file__}:" in error.what
    # torch's own lines about it would only repeat it.
    assert "Unable to find user code" not in capfd.readouterr().err


def test_an_op_without_a_fake_is_captured_once_the_advice_is_followed() -> None:
    def calls(x: torch.Tensor) -> torch.Tensor:
        return twice(x)

    with pytest.raises(CaptureError, match="failures_test::twice") as caught:
        capture(calls, (X,))
    assert '@torch.library.register_fake("failures_test::twice")' in caught.value.hint

    @torch.library.register_fake("failures_test::twice")
    def fake(x: torch.Tensor) -> torch.Tensor:
        return torch.empty_like(x)

    capture(calls, (X,))


def test_a_print_that_knows_of_the_capture_is_no_obstacle() -> None:
    def careful(x: torch.Tensor) -> torch.Tensor:
        if not torch.compiler.is_exporting():
            print(x.mean().item())
        return x * 2

    capture(careful, (X,))


def test_a_model_quantized_by_torch_ao_is_called_so() -> None:
    class Packed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError(
                "__torch__.torch.classes.quantized.LinearPackedParamsBase (of Python compilation "
                "unit at: 0) does not have a field with name '__obj_flatten__'"
            )

    with pytest.raises(CaptureError, match=r"quantized\.LinearPackedParamsBase") as caught:
        capture(Packed(), (X,))
    assert "not quantized" in caught.value.hint


def test_what_torch_logs_of_a_capture_that_works_is_passed_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = logging.getLogger("torch._subclasses.fake_tensor")

    def warns(x: torch.Tensor) -> torch.Tensor:
        logger.warning("worth knowing")
        return x + 1

    def warns_and_fails(x: torch.Tensor) -> torch.Tensor:
        logger.warning("said by the exception")
        raise ValueError(x.shape)

    capture(warns, (X,))
    with pytest.raises(CaptureError, match="ValueError"):
        capture(warns_and_fails, (X,))
    assert "worth knowing" in caplog.text
    assert "said by the exception" not in caplog.text


# --- dynamic dimensions that cannot be -----------------------------------------------------------

HEAD = 'Constraints violated (n)! For more information, run with TORCH_LOGS="+dynamic".\n'
SIZE = "L['x'].size()[0]"
GUARD = f"Not all values of n = {SIZE} in the specified range satisfy the generated guard"
MARKED = f"You marked {SIZE} as dynamic but your code specialized it to be a constant (4)."


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        (
            (
                f"  - {MARKED} "
                "If you're using mark_dynamic, either remove it or use maybe_mark_dynamic."
            ),
            "works with dimension 0 of x = 4 only",
            "Leave it out",
        ),
        (
            (f"  - {GUARD} {SIZE} <= 8.\nSuggested fixes:\n  n = Dim('n', max=8)\n"),
            "guard n <= 8",
            r'\("n", None, 8\)',
        ),
        (
            (
                f"  - {GUARD} "
                f"Mod({SIZE}, 2) == 0.\nSuggested fixes:\n  _n = Dim('_n', max=oo)\n  n = 2*_n\n"
            ),
            r"Mod\(n, 2\)",
            r'multiple of 2: write 2\*torch\.export\.Dim\("n_"\)',
        ),
        ("Suggested fixes:\n  a = b\n", "Suggested", "a and b one name"),
    ],
)
def test_a_violated_constraint_names_the_dimension_and_the_way_out(
    text: str, what: str, hint: str
) -> None:
    found = explain_constraints(HEAD * (what != "Suggested") + text, "M")
    assert re.search(what, found[0]), found
    assert re.search(hint, found[1]), found


# --- arguments that can be no part of a call -----------------------------------------------------


class Thing:
    pass


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (np.ones(3), "torch.from_numpy"),
        (np.array(["a"]), "a tensor of numbers"),
        (torch.Generator(), "Draw the random numbers outside"),
        (nn.Linear(2, 2), "a part of the model"),
        (iter([1]), "list or tuple"),
        (torch.relu, "functools.partial"),
        (Thing(), "functools.partial"),
        (types.SimpleNamespace(x=X), "vars(...)"),
        (types.MappingProxyType({"x": X}), "Pass a dict"),
        ({"x": X}.values(), "Pass a dict or list"),
        (int, "functools.partial"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_an_argument_that_can_be_no_part_is_refused_with_what_to_pass(
    value: Any, hint: str
) -> None:
    def call(x: torch.Tensor, options: Any) -> torch.Tensor:
        return x + 1

    with pytest.raises(CallError, match=r"Argument options\['a'\] is ") as caught:
        capture(call, (X, {"a": value}))
    assert hint in caught.value.hint


# --- advice, followed -----------------------------------------------------------------------------


def first(x: torch.Tensor, other: Any) -> torch.Tensor:
    return x + 1


def at_least(x: torch.Tensor, other: Any) -> torch.Tensor:
    return other(x)


def where(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x.sum() > 0, x + 1, x - 1)


def in_torch(x: torch.Tensor) -> torch.Tensor:
    return x * x.mean()


def stated(x: torch.Tensor) -> torch.Tensor:
    found = x.nonzero()
    torch._check(found.shape[0] > 3)
    return x if found.shape[0] > 3 else x + 1


class Cached(nn.Module):
    """Returns a cache unless it is told not to, as the models of transformers do."""

    def forward(self, x: torch.Tensor, use_cache: bool = True) -> Any:
        cache = type("DynamicCache", (), {"__module__": "transformers.cache_utils"})
        return (x + 1, cache()) if use_cache else (x + 1,)


Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]

ADVICE: dict[str, tuple[Call, str, Call]] = {
    "torch.from_numpy": (
        (first, (X, np.ones(3)), {}),
        "torch.from_numpy",
        (first, (X, torch.from_numpy(np.ones(3))), {}),
    ),
    "functools.partial": (
        (at_least, (X, torch.relu), {}),
        "functools.partial",
        (functools.partial(at_least, other=torch.relu), (X,), {}),
    ),
    "a list": ((first, (X, iter([X])), {}), "list or tuple", (first, (X, [X]), {})),
    "torch.where": ((branches, (X,), {}), "torch.where", (where, (X,), {})),
    "tensors instead": ((takes_float, (X,), {}), "with tensors", (in_torch, (X,), {})),
    "torch._check": ((sizes_of_data, (X,), {}), "torch._check", (stated, (X,), {})),
    "use_cache": ((Cached(), (X,), {}), "use_cache=False", (Cached(), (X, False), {})),
    "an example of two": (
        (in_torch, (X[:1],), {"dynamic": {"x": {0: "n"}}}),
        "an example with 2 or more",
        (in_torch, (X[:2],), {"dynamic": {"x": {0: "n"}}}),
    ),
    "a tuple": ((in_torch, X, {}), "with the comma", (in_torch, (X,), {})),
    "let the number itself vary": (
        (first, (X, 3), {"dynamic": {"other": {0: "n"}}}),
        'Write {"other": "name"}',
        (first, (X, 3), {"dynamic": {"other": "n"}}),
    ),
    "once or another name": (
        (first, (X, X), {"dynamic": {"x": {0: ("n", 2, 8)}, "other": {0: ("n", 2, 9)}}}),
        "Give it once, or use another name",
        (first, (X, X), {"dynamic": {"x": {0: ("n", 2, 8)}, "other": {0: "n"}}}),
    ),
}


@pytest.mark.parametrize("name", ADVICE)
def test_advice_that_is_followed_helps(name: str) -> None:
    (model, args, options), said, (better, better_args, better_options) = ADVICE[name]
    with pytest.raises((CallError, CaptureError)) as caught:
        capture(model, args, **options)
    assert said in caught.value.hint
    capture(better, better_args, **better_options)
