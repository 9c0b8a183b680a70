"""artifact, bound to a model -> LoadedFunction: what is called in the model's place."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from ..artifact.schema import Program
from ..errors import InputError
from ..torch_compat import surroundings
from . import bind
from .checks import CHECKS
from .flat import Fit, FlatFunction
from .request import Origin

if TYPE_CHECKING:
    import torch


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
    model:
        The name of the model that was compiled.
    flat:
        The same call on leaves, without containers, for whoever measures or checks it.
    check:
        What ``check_inputs`` of the execution code takes; see `parts`.
    """

    def __init__(
        self,
        flat: FlatFunction,
        *,
        via: str,
        program: Program,
        timings: dict[str, float],
        notes: tuple[str, ...],
        kernel_ways: tuple[str, ...],
        origin: Origin | None,
    ) -> None:
        self.flat = flat
        self.via = via
        self.model = program.model
        self.timings = timings
        self.notes = notes
        self.kernel_ways = kernel_ways
        self.check = CHECKS
        self._program = program
        self._origin = origin

    def __reduce__(self) -> tuple[Any, ...]:
        """The path and digest of its file, and its weights; `copy` and `pickle` ask for it."""
        from .again import pinned  # nothing that a load has to wait for

        origin = pinned(self._origin, self.model)
        weights: dict[str, Any] = {}
        types: dict[str, Any] = {}
        for each in self.programs.values():
            weights |= dict(zip(each.flat.follower.names, each.parts.parameters, strict=True))
            types |= each.flat.tree.result_types()
        where = (origin.path, origin.trust, self.via, origin.on_mismatch)
        return origin.again, (*where, weights, types)

    @property
    def programs(self) -> Mapping[str, LoadedFunction]:
        """Each program as a function of its own, by name; "" is that of a single one."""
        return {"": self}

    @property
    def takes(self) -> str:
        """What a call of this program has, on one line: ``input_ids int64[1, seq]``."""
        from ..artifact.described import describe_inputs  # nothing that a load has to wait for

        return describe_inputs(self._program)

    def program_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> LoadedFunction:
        """The program that a call runs. Raises InputError when none has such arguments."""
        self.flat.leaves(args, kwargs)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model.

        Raises InputError naming an argument that does not fit, or a mode in which compiled kernels
        cannot run, and ParameterError naming a tensor of the model that does not fit any more.
        """
        tree = self.flat.tree
        return tree.outputs(self.flat(tree.leaves(args, kwargs)), args, kwargs)

    def find(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Fit | None:
        """The call as one that fits, or None where it does not; nothing is run, no words made."""
        return self.flat.fit(args, kwargs)

    def refusal(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> InputError | None:
        """Why a call does not fit, in words."""
        return self.flat.refusal(args, kwargs)

    def installed(
        self, model: torch.nn.Module, *, strict: bool = False
    ) -> AbstractContextManager[None]:
        """While this lasts, ``model(...)`` runs this function, for every thread.

        So do the calls that ``model.generate``, a pipeline or a wrapper makes of it. A call that
        does not fit runs the model itself. Afterwards the model is as it was.

        Parameters
        ----------
        model:
            The module that this was loaded for.
        strict:
            Raise InputError for a call that does not fit, in the place of running the model.

        Raises
        ------
        CallError
            The function was loaded for another model, or for a mapping of tensors.

        Warns
        -----
        FastCompileWarning
            Once, when a call runs the model itself; it says why.

        Examples
        --------
        ::

            with fn.installed(model):
                model.generate(input_ids, max_new_tokens=32)
        """
        from .installed import installed

        return installed(self, model, strict=strict)

    @property
    def parts(self) -> bind.ExecutionParts:
        """What ``bind`` of the execution code takes: kernels, parameters and constants.

        With them the text runs by itself, saved as a file and imported::

            fn = fc.load("llama.fastcompile", model)
            forward = code.bind(*fn.parts)
            outputs = forward(*code.check_inputs(fn.check, input_ids))

        The parameters are those of now: plain tensors on the memory of the model's.
        """
        return self.flat.follower().parts

    def requires_grad_(self, requires_grad: bool = True) -> LoadedFunction:
        """Refuse to train, in words: the kernels have no backward."""
        if requires_grad:
            raise InputError(
                "A loaded function is for inference; it has no backward and records no autograd.",
                "Train the model itself, and compile it again.",
            )
        return self

    def __repr__(self) -> str:
        from ..artifact.described import describe_programs  # nothing that a load has to wait for

        return f"<{describe_programs([self._program], f'{self.via} path')}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from ..views import view_of  # nothing that a load has to wait for

        bundle: dict[str, str] = view_of("LoadedFunction._repr_mimebundle_")(self)
        return bundle


surroundings.hide_from_dynamo(LoadedFunction.__call__, "it runs kernels that are compiled already")
