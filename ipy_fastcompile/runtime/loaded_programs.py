"""several programs of one artifact, each bound to the same model -> one function of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ..artifact.schema import Program
from ..errors import FastCompileError, InputError
from ..torch_compat import surroundings
from .dispatch import NOTHING, Dispatcher, run_fitting
from .flat import Fit
from .loaded import LoadedFunction
from .request import Origin


class LoadedPrograms(LoadedFunction):
    """What `load` returns of an artifact with several programs: a call runs the one that it fits.

    ``flat`` is the first program's; ``programs`` has each as a function of its own, by name.
    """

    def __init__(
        self,
        functions: Sequence[LoadedFunction],
        programs: Sequence[Program],
        *,
        timings: dict[str, float],
        origin: Origin | None,
    ) -> None:
        first = functions[0]
        super().__init__(
            first.flat,
            via=first.via,
            program=programs[0],
            timings=timings,
            notes=tuple(dict.fromkeys(note for each in functions for note in each.notes)),
            kernel_ways=tuple(way for each in functions for way in each.kernel_ways),
            origin=origin,
        )
        self._programs = programs
        names = [program.name for program in programs]
        self._functions = dict(zip(names, functions, strict=True))
        self._by_flat = {each.flat: each for each in functions}
        self._dispatcher = Dispatcher(programs, [each.flat for each in functions])

    @property
    def programs(self) -> Mapping[str, LoadedFunction]:
        """Each program as a function of its own, by name."""
        return self._functions

    def program_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> LoadedFunction:
        """The program that a call runs; raises InputError where it fits none."""
        fit = self.find(args, kwargs)
        if fit is None:
            raise self.refusal(args, kwargs)
        return self._by_flat[fit.function]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program that the call fits.

        Raises InputError listing the programs where it fits none, and what each of them raises.
        """
        found = run_fitting(self.find, args, kwargs)
        if found is NOTHING:
            raise self.refusal(args, kwargs)
        return found

    def find(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Fit | None:
        """The call as one of the program that it fits, or None where it fits none."""
        return self._dispatcher.find(args, kwargs)

    def refusal(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> InputError:
        """Why a call fits no program, in words."""
        return self._dispatcher.refusal(args, kwargs)

    @property
    def parts(self) -> NoReturn:
        """Refuse, in words: each program has parts of its own."""
        raise FastCompileError(
            f"{self!r} has an execution code for each program, and no parts of all of them.",
            f"Ask one program for its parts: fn.programs[{next(iter(self._functions))!r}].parts.",
        )

    def __repr__(self) -> str:
        from ..artifact.described import describe_programs  # nothing that a load has to wait for

        return f"<{describe_programs(self._programs, f'{self.via} path')}>"


surroundings.hide_from_dynamo(LoadedPrograms.__call__, "it runs kernels that are compiled already")
