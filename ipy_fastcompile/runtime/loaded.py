"""artifact, bound to a model -> LoadedFunction: what is called in the model's place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..errors import InputError
from ..torch_compat import surroundings
from . import bind, modes
from .again import Origin, load_again, pinned
from .checks import Check
from .explain import add_note
from .follow import Follower
from .signature import CallTree
from .unfit import unfit_data


class LoadedFunction:
    """What `load` returns: called like the model, it returns what the model returned.

    It is for inference: it runs under `torch.no_grad` and refuses inputs that want a gradient.

    Attributes
    ----------
    via:
        The reload path.
    timings:
        Seconds of each step of this load, in order.
    notes:
        What happened that a user should know: kernels that took another way, and why.
    kernel_ways:
        For every kernel, ``"native"``, ``"torch"`` or ``"recompiled"``.
    check:
        What ``check_inputs`` of the execution code takes; see `parts`.
    """

    def __init__(
        self,
        tree: CallTree,
        follower: Follower,
        *,
        via: str,
        model: str,
        default_dtype: str = "",
    ) -> None:
        self._tree = tree
        self._follower = follower
        self._n_inputs = len(tree.paths)
        self._default_dtype = getattr(torch, default_dtype) if default_dtype else None
        self.via = via
        self.model = model
        self.timings: dict[str, float] = {}
        self.notes: tuple[str, ...] = ()
        self.kernel_ways: tuple[str, ...] = ()
        self.check = Check
        self.origin: Origin | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """The path and digest of its file, and its weights; `copy` and `pickle` ask for it."""
        origin = pinned(self.origin, self.model)
        assert self.origin is not None
        weights = dict(zip(self.origin.names, self.parts.parameters, strict=True))
        types = self._tree.result_types()
        where = (origin.path, origin.trust, self.via, origin.on_mismatch)
        return load_again, (*where, weights, types)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model.

        Raises InputError naming an argument that does not fit, or a mode in which compiled kernels
        cannot run, and ParameterError naming a tensor of the model that does not fit any more.
        """
        if modes.is_plain():
            return self._tree.outputs(self._run(self._tree.leaves(args, kwargs)))
        leaves = self._tree.leaves(args, kwargs)
        return self._tree.outputs(self._run_aside(leaves))

    def _run_aside(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        with modes.set_aside("A compiled function", InputError):
            if modes.is_dual():
                modes.refuse_tangents(dict(zip(self._tree.paths, leaves, strict=True)))
                modes.refuse_tangents(self._follower.of_model())
            return self._run(leaves)

    def _run(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        binding = self._follower()
        functions = binding.functions
        if self._default_dtype is not None:
            modes.check_default_dtype(self._default_dtype)
        arguments = functions.check(*leaves)
        if binding.apart is not None:
            binding.apart.check(arguments)
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
            refused = unfit_data(error)
            if refused is not None:
                raise refused from error
            add_note(error)
            raise

    @property
    def parts(self) -> bind.ExecutionParts:
        """What ``bind`` of the execution code takes: kernels, parameters and constants.

        With them the text runs by itself, saved as a file and imported::

            fn = fc.load("llama.fastcompile", model)
            forward = code.bind(*fn.parts)
            outputs = forward(*code.check_inputs(fn.check, input_ids))

        The parameters are those of now: plain tensors on the memory of the model's.
        """
        return self._follower().parts

    def check_flat(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """What the execution code's ``forward`` takes: the checked leaves and symbolic sizes."""
        return self._follower().functions.check(*leaves)

    def flatten(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[Any]:
        """The leaves of a call; raises InputError when it has other arguments."""
        return self._tree.leaves(args, kwargs)

    def call_flat(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """Run on the leaves of a call; the leaves of the outputs, without their containers."""
        if modes.is_plain():
            return self._run(leaves)
        return self._run_aside(leaves)

    def requires_grad_(self, requires_grad: bool = True) -> LoadedFunction:
        """Refuse to train, in words: the kernels have no backward."""
        if requires_grad:
            raise InputError(
                "A loaded function is for inference; it has no backward and records no autograd.",
                "Train the model itself, and compile it again.",
            )
        return self

    def __repr__(self) -> str:
        return f"<{self.model}, loaded along the {self.via} path>"


for _method in (LoadedFunction.__call__, LoadedFunction.call_flat):
    surroundings.hide_from_dynamo(_method, "it runs kernels that are compiled already")
