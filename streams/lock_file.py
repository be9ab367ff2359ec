"""Locks of files: one process at a time, free as soon as its holder is gone. Others are turned away (`take`), or wait (`locked`).

A killed holder holds nothing: the kernel drops a `flock`.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TRIES_MAX = 100


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a directory, or a file that is made for it and stays, within this; whoever comes meanwhile waits.

    Raises:
        OSError: it cannot be opened.
    """
    file = os.open(path, os.O_CLOEXEC | (os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT), 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def take(path: Path, mode: int = 0o600) -> int | None:
    """Make and hold a lock file; return its descriptor for `release`, None where another process holds it.

    Raises:
        OSError: the file cannot be made.
    """
    for _ in range(_TRIES_MAX):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.stat(path), os.fstat(file)):
                return file
        except BlockingIOError:
            os.close(file)
            return None
        except FileNotFoundError:
            pass
        os.close(file)  # its holder removed this very file between our open and our flock
    return None


def release(path: Path, file: int) -> None:
    """Remove a lock file, then free the lock: whoever opened it meanwhile notices and opens anew."""
    path.unlink(missing_ok=True)
    os.close(file)
