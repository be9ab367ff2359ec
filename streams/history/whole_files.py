"""Files of the archive as the system sees them: written whole or not at all, and what it means when they cannot be read or written."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from streams.decoded_types import known
from streams.errors import InputError

T = TypeVar("T")
#: What to do about an error of the system, by its number.
_MORE_FILES, _MAY_READ = (
    "allow this process more open files (ulimit -n, LimitNOFILE)",
    "give this user the right to read it",
)
_TO_READ = {
    errno.EMFILE: _MORE_FILES,
    errno.ENFILE: _MORE_FILES,
    errno.EACCES: _MAY_READ,
    errno.EPERM: _MAY_READ,
    errno.ENOMEM: "give this process more memory",
}
_MAY_WRITE = "give this user the right to write there, or set archive_dir"
_TO_WRITE = {
    errno.ENOSPC: "no space is left: free some",
    errno.EACCES: _MAY_WRITE,
    errno.EPERM: _MAY_WRITE,
    errno.EROFS: _MAY_WRITE,
}


class ArchiveError(InputError):
    """The archive cannot be used or written; the message says what to do."""


class UnreadableFileError(InputError):
    """A file cannot be read now, for a reason that passes or that a person can mend. Its bytes may be right: nothing is done to it."""


def unreadable(path: Path, error: OSError | MemoryError) -> UnreadableFileError:
    """What the system says, and what to do."""
    number = error.errno if isinstance(error, OSError) else errno.ENOMEM
    hint = _TO_READ.get(number or 0, "see the disk it is on")
    return UnreadableFileError(f"{path} cannot be read: {os.strerror(number) if number else error}; {hint}")


def read_json(path: Path, kind: type[T], advice: str) -> T | None:
    """A small file of JSON, None where there is none; `advice` says what to do about a damaged one.

    Raises:
        ArchiveError: it is damaged.
        UnreadableFileError: the system does not let it be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=known(kind))
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise ArchiveError(f"{path} is damaged ({error}): {advice}") from None
    except OSError as error:
        raise unreadable(path, error) from None


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the system says of writing into `ArchiveError`."""
    try:
        yield
    except OSError as error:
        hint = _TO_WRITE.get(error.errno or 0, "see that the directory can be written, or set archive_dir")
        raise ArchiveError(f"the archive cannot be written at {path}: {error.strerror or error}; {hint}") from None
