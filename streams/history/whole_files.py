"""Files of the archive as the system sees them: written whole or not at all, and what it means when they cannot be read or written."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.errors import InputError


class ArchiveError(InputError):
    """The archive cannot be used or written; the message says what to do."""


class UnreadableFileError(InputError):
    """A file cannot be read now, for a reason that passes or that a person can mend. Its bytes may be right: nothing is done to it."""


def unreadable(path: Path, error: OSError | MemoryError) -> UnreadableFileError:
    """What the system says, and what to do."""
    number = error.errno if isinstance(error, OSError) else errno.ENOMEM
    if number in (errno.EMFILE, errno.ENFILE):
        hint = "allow this process more open files (ulimit -n, LimitNOFILE)"
    elif number in (errno.EACCES, errno.EPERM):
        hint = "give this user the right to read it"
    elif number == errno.ENOMEM:
        hint = "give this process more memory"
    else:
        hint = "see the disk it is on"
    return UnreadableFileError(f"{path} cannot be read: {os.strerror(number) if number else error}; {hint}")


def replace_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside, force to disk, then rename: the file is the old one or the new one, whenever the process dies.

    The lock is held: a temporary file that is there was left by a process that died.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        write(temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the system says of writing into `ArchiveError`."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            hint = "no space is left: free some"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "give this user the right to write there, or set archive_dir"
        else:
            hint = "see that the directory can be written, or set archive_dir"
        raise ArchiveError(f"the archive cannot be written at {path}: {error.strerror or error}; {hint}") from None
