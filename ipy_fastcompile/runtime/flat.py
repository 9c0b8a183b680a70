"""leaves of a call -> leaves of its outputs: a program, bound to a model, without containers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..errors import InputError
from ..frozen import NamedTuple
from ..torch_compat import surroundings
from . import modes
from .checks import CHECKS, QUIET_CHECKS
from .follow import Binding, Follower
from .refusals import Misfit, untold
from .signature import CallTree


class Fit(NamedTuple):
    """A call that fits a program: what is run, the leaves, and what `check_inputs` made of them."""

    function: FlatFunction
    binding: Binding
    leaves: Sequence[Any]
    arguments: tuple[Any, ...]


class FlatFunction:
    """What a `LoadedFunction` runs, for whoever measures or checks it.

    Attributes
    ----------
    tree:
        How arguments become leaves, and leaves results.
    follower:
        The binding to the tensors that the model has now.
    """

    def __init__(self, tree: CallTree, follower: Follower, default_dtype: str) -> None:
        self.tree = tree
        self.follower = follower
        self._n_inputs = len(tree.paths)
        self._default_dtype = getattr(torch, default_dtype) if default_dtype else None

    def leaves(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[Any]:
        """The leaves of a call; raises InputError when it has other arguments."""
        return self.tree.leaves(args, kwargs)

    def check(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """What the execution code's ``forward`` takes: the checked leaves and symbolic sizes."""
        return self.follower().functions.check_inputs(CHECKS, *leaves)

    def fit(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Fit | None:
        """The call as one of this program, or None where it is none; nothing is run or written.

        No words are made for why it is none: see `check`.
        """
        try:
            leaves = self.tree.leaves(args, kwargs, untold)
            # The same text for every binding, so that the model is asked only where the call fits.
            check_inputs = self.follower.binding.functions.check_inputs
            arguments = check_inputs(QUIET_CHECKS, *leaves)
        except Misfit:
            return None
        if self._default_dtype not in (None, torch.get_default_dtype()):
            return None
        binding = self.follower()
        if binding.apart is not None:
            try:
                binding.apart.check(arguments)
            except InputError:
                return None
        return Fit(self, binding, leaves, arguments)

    def refusal(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], checks: Any = CHECKS
    ) -> InputError | None:
        """Why a call does not fit, in words; None where it does."""
        try:
            self._checked(self.tree.leaves(args, kwargs), checks)
        except InputError as error:
            return error
        return None

    def __call__(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """Run on the leaves of a call."""
        if modes.is_plain():
            return self._run(leaves)
        with modes.set_aside("A compiled function", InputError):
            self.refuse_tangents(leaves)
            return self._run(leaves)

    def refuse_tangents(self, leaves: Sequence[Any]) -> None:
        """Refuse dual numbers in the call and in the model."""
        if modes.is_dual():
            modes.refuse_tangents(dict(zip(self.tree.paths, leaves, strict=True)))
            modes.refuse_tangents(self.follower.of_model())

    def _run(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        return self.run(self._checked(leaves, CHECKS))

    def _checked(self, leaves: Sequence[Any], checks: Any) -> Fit:
        binding = self.follower()
        if self._default_dtype is not None:
            modes.check_default_dtype(self._default_dtype)
        arguments = binding.functions.check_inputs(checks, *leaves)
        if binding.apart is not None:
            binding.apart.check(arguments)
        return Fit(self, binding, leaves, arguments)

    def run(self, fit: Fit) -> tuple[Any, ...]:
        """Run a call that fits."""
        _, binding, leaves, arguments = fit
        functions = binding.functions
        if binding.apart is not None:
            binding.apart.tell_autograd(leaves)
        forward = functions.forward
        if functions.by_size:
            forward = functions.by_size.get(arguments[self._n_inputs :], forward)
        try:
            if torch.is_grad_enabled():
                with torch.no_grad():
                    return forward(*arguments)
            return forward(*arguments)
        except Exception as error:
            from .explain import add_note
            from .unfit import unfit_data

            refused = unfit_data(error)
            add_note(error)  # says which line of the user's the kernel comes from
            if refused is not None:
                raise refused from error
            raise


surroundings.hide_from_dynamo(FlatFunction.__call__, "it runs kernels that are compiled already")
