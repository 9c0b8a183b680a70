"""a race that is over -> its table in a terminal: above the prompt, or before the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .outputs import show_text

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..records import Report, Standing


class RaceAtPrompt:
    """Says nothing while a race runs: it would write into the line that somebody types."""

    def __init__(self, shell: InteractiveShell, report: Report) -> None:
        self._shell = shell
        self._report = report

    def update(self, standing: Standing) -> None:
        """Print the table of a race that is over."""
        from ..show.race import race_text

        if standing.state == "running":
            return
        text = race_text(self._report, standing)
        app = getattr(getattr(self._shell, "pt_app", None), "app", None)
        if app is not None and app.is_running:
            from prompt_toolkit.application import run_in_terminal

            def print_above() -> None:
                run_in_terminal(lambda: show_text(text))

            app.loop.call_soon_threadsafe(print_above, context=app.context)
            return

        def print_after(_: Any) -> None:
            self._shell.events.unregister("post_run_cell", print_after)
            show_text(text)

        self._shell.events.register("post_run_cell", print_after)
