"""Progress of a long command on stderr: one moving line on a terminal, a plain line every few seconds otherwise."""

from __future__ import annotations

import sys
import time
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

TERMINAL_SECONDS = 0.25
PLAIN_SECONDS = 5.0


class Meter:
    """Shows how far a command is; `total` is None where nobody knows. Call `show` as often as you like."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what = what
        self._total = total
        self._began = time.monotonic()
        self._live: Progress | None = None
        self._every = PLAIN_SECONDS
        if sys.stderr.isatty():
            self._every = TERMINAL_SECONDS
            self._live = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn() if total else TextColumn(""),
                TextColumn("{task.fields[text]}"),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                auto_refresh=False,
                transient=True,
            )
            self._task = self._live.add_task(what, total=total, text="")
        self._next = self._began + self._every

    @property
    def seconds(self) -> float:
        """Time since the beginning."""
        return time.monotonic() - self._began

    def due(self) -> bool:
        """Whether `show` would show anything: callers spare themselves the text."""
        return time.monotonic() >= self._next

    def show(self, done: int, text: str) -> None:
        """Show `done` of the total, and a text of one line."""
        if not self.due():
            return
        self._next = time.monotonic() + self._every
        if self._live is not None:
            self._live.update(self._task, completed=done, text=text)
            self._live.refresh()
        else:
            share = f" {100 * done // self._total} %" if self._total else ""
            click.echo(f"{self._what}:{share} {text}", err=True)

    def __enter__(self) -> Meter:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
