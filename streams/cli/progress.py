"""Progress of a long command on stderr: one moving line on a terminal, a plain line every few seconds otherwise."""

import shutil
import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType

import click

TERMINAL_SECONDS = 0.25
PLAIN_SECONDS = 5.0
#: From this part of the whole on it is said how long the rest may take.
SHARE_TOLD_MIN = 0.02
_BAR_WIDTH = 24
_CLEAR = "\r\x1b[2K"


class Meter(AbstractContextManager["Meter"]):
    """Shows how far a command is; `total` is None where nobody knows. Call `show` as often as you like."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what = what
        self._total = total
        self._began = time.monotonic()
        self._is_live = sys.stderr.isatty()
        self._every = TERMINAL_SECONDS if self._is_live else PLAIN_SECONDS
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
        share = min(done / self._total, 1.0) if self._total else None
        percent = "" if share is None else f" {share:.0%}"
        if self._is_live:
            bar = "" if share is None else f" [{'#' * int(share * _BAR_WIDTH):{_BAR_WIDTH}}]"
            line = f"{self._what}{bar}{percent} {text}, {self.seconds:.0f} s{self._left(share)}"
            click.echo(_CLEAR + line[: shutil.get_terminal_size().columns - 1], err=True, nl=False)
        else:
            click.echo(f"{self._what}:{percent.replace('%', ' %')} {text}{self._left(share)}", err=True)

    def _left(self, share: float | None) -> str:
        """How long it may still take, once that can be told."""
        if share is None or share < SHARE_TOLD_MIN or share >= 1:
            return ""
        seconds = self.seconds * (1 - share) / share
        return f", about {seconds:.0f} s left" if seconds < 90 else f", about {seconds / 60:.0f} min left"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_live:
            click.echo(_CLEAR, err=True, nl=False)
