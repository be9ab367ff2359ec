"""A lock file that names its holder, is free as soon as the holder is gone, and leaves nothing behind."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from streams.errors import InputError, ServerError
from streams.local.ports import command_line

_TRIES_MAX = 100


class FileLock:
    """Held from `with` on until its end; also free when the process is killed (the kernel drops a `flock`)."""

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
        for _ in range(_TRIES_MAX):
            descriptor = self._open()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise ServerError(f"{self._taken}: {self._holder()}") from None
            if self._is_current(descriptor):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"{os.getpid()}\n".encode())
                self._file = descriptor
                return self
            os.close(descriptor)  # the holder before us removed this very file between our open and our flock
        raise ServerError(f"{self._path} keeps being removed by others: try again")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the file, then free the lock: whoever opened it meanwhile notices and opens anew."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        try:
            # Events and counts lie there: nobody else looks.
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise InputError(
                f"{self._path} cannot be written ({error.strerror}): choose another directory "
                "(--data-dir for the data, VIGIE_STACK_FILE for the record of the stack)"
            ) from None

    def _is_current(self, descriptor: int) -> bool:
        try:
            on_disk = self._path.stat()
        except FileNotFoundError:
            return False
        opened = os.fstat(descriptor)
        return (on_disk.st_dev, on_disk.st_ino) == (opened.st_dev, opened.st_ino)

    def _holder(self) -> str:
        try:
            pid = int(self._path.read_text())
        except (OSError, ValueError):  # it has just been taken, its pid is not written yet
            return "its process could not be seen"
        return f"pid {pid} ({command_line(pid)})"
