"""How commands print tables: on a terminal as wide as it is, into a pipe or a file without cutting anything."""

from __future__ import annotations

import sys

from rich.console import Console

#: Wider than any table, so that rich wraps and cuts nothing.
PIPED_COLUMNS = 10_000


def open_console() -> Console:
    """A console on standard output; what is printed is text, never markup."""
    return Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS, markup=False, highlight=False)
