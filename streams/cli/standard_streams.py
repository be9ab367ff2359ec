"""Standard input, output and errors as a shell may have left them: closed, full, a pipe that nobody reads, an old encoding."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from streams.errors import InputError

#: What a place that is printed to may say, and what to do.
_ADVICE = {
    errno.EBADF: "it is closed: leave it open, or send it to /dev/null",
    errno.ENOSPC: "no space is left: free some, then try again",
    errno.EDQUOT: "the quota of this user is used up: free some, then try again",
    errno.EFBIG: "the file is as large as it may be: choose another one",
    errno.EIO: "the device or the terminal does not take it: choose another place",
}
EXIT_PIPE_CLOSED = 141


def mend_streams() -> None:
    """Open what was closed before we began: a file that is opened later would take its place, and get what is printed.

    Standard output then refuses what is written, so that a command says that nobody got its figures. What an old encoding does not have
    is printed as `?`.
    """
    if sys.stdin is None:
        sys.stdin = os.fdopen(_take(0, os.O_RDONLY))
    if sys.stdout is None:
        sys.stdout = os.fdopen(_take(1, os.O_RDONLY), "w")
    if sys.stderr is None:  # `print` would take standard output in its place
        sys.stderr = os.fdopen(_take(2, os.O_WRONLY), "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _take(number: int, flags: int) -> int:
    opened = os.open(os.devnull, flags)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    return number


@contextmanager
def printing() -> Iterator[None]:
    """Run a command within this: what a place that is printed to says becomes an error that names what to do.

    Raises:
        InputError: see above.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # `vigie minutes | head` ends quietly; click itself would make it exit code 1
        _drop_output()
        sys.exit(EXIT_PIPE_CLOSED)
    except OSError as error:
        # A file has a name; what is printed to has none. The disk may be full of either.
        if error.errno not in _ADVICE or (error.filename is not None and error.errno != errno.ENOSPC):
            raise
        _drop_output()
        raise InputError(f"what was to be printed or written is lost, {_ADVICE[error.errno]}") from None


def _drop_output() -> None:
    """What is still in the buffer cannot be written: at the end Python would try again, and tell."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
