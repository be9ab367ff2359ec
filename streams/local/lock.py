"""A lock file that names its holder, is free as soon as the holder is gone, and leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

from streams.errors import InputError, ServerError
from streams.local.ports import command_line
from streams.lock_file import release, take


class FileLock:
    """Held from `with` on until its end."""

    def __init__(self, path: Path, taken: str) -> None:
        self._path = path
        self._taken = taken
        self._file: int | None = None

    def __enter__(self) -> FileLock:
        """Take the lock, or say who has it.

        Raises:
            ServerError: `taken`, with the pid and the command line of the holder.
            InputError: the file cannot be made.
        """
        try:
            # Events and counts lie there: nobody else looks.
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = take(self._path, 0o644)
        except OSError as error:
            raise InputError(
                f"{self._path} cannot be written ({error.strerror}): choose another directory "
                "(--data-dir for the data, VIGIE_STACK_FILE for the record of the stack)"
            ) from None
        if self._file is None:
            raise ServerError(f"{self._taken}: {self._holder()}")
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            release(self._path, self._file)
            self._file = None

    def _holder(self) -> str:
        try:
            pid = int(self._path.read_text())
        except (OSError, ValueError):  # it has just been taken, its pid is not written yet
            return "its process could not be seen"
        return f"pid {pid} ({command_line(pid)})"
