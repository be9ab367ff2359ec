"""The resume mark: how much of a file was published, kept beside it, so that running the same command again goes on instead of anew.

`access.log` -> `access.log.vigie-mark`, one JSON object. A mark counts only for a file that begins with the very lines it speaks of (their
digest), in the same format and for the same project: a log that was rotated or written anew begins anew, one that grew goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from streams.publish.lines import skip_mark, without_end
from streams.publish.producer import RECORD_BYTES_MAX

MARK_SUFFIX = ".vigie-mark"


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`lines` lines, whose bytes with their ends have this digest, were published to `topic` as `format` and `project`."""

    lines: int
    digest: str
    format: str
    project: str
    topic: str


class Progress:
    """The lines dealt with so far, and the digest of their bytes."""

    def __init__(self) -> None:
        self.lines = 0
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, raw: bytes) -> None:
        """Take one line, with its end."""
        self._hash.update(raw)
        self.lines += 1

    def add_part(self, raw: bytes) -> None:
        """Take the next part of an overlong line, of which `add` takes the last."""
        self._hash.update(raw)

    def digest(self) -> str:
        """The digest of all lines so far."""
        return self._hash.copy().hexdigest()


class MarkFile:
    """The mark of one file. Reading and writing never raise: a mark is a convenience, its trouble is told in `trouble`."""

    def __init__(self, path: Path, format_name: str, project: str, topic: str) -> None:
        self.path = path.with_name(path.name + MARK_SUFFIX)
        self._of = (format_name, project, topic)
        self.trouble: str | None = None

    def read(self) -> Mark | None:
        """Return the mark, None where there is none that counts for this format, project and topic."""
        try:
            mark = msgspec.json.decode(self.path.read_bytes(), type=Mark)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self.trouble = f"{self.path} cannot be read ({error}): the file is published from its beginning"
            return None
        return mark if (mark.format, mark.project, mark.topic) == self._of else None

    def write(self, lines: int, digest: str) -> None:
        """Replace the mark, whole or not at all."""
        format_name, project, topic = self._of
        fresh = self.path.with_name(self.path.name + ".new")
        try:
            fresh.write_bytes(msgspec.json.encode(Mark(lines, digest, format_name, project, topic)) + b"\n")
            os.replace(fresh, self.path)
        except OSError as error:
            self.trouble = f"{self.path} cannot be written ({error.strerror}): the next run begins anew; ids keep it from counting twice"
            with contextlib.suppress(OSError):
                fresh.unlink()


def pass_by(stream: BinaryIO, mark: Mark, note: Callable[[bytes], None]) -> Progress | None:
    """Read the lines that the mark speaks of and give each to `note`, without its end; None where the file does not begin with them."""
    progress = Progress()
    try:
        skip_mark(stream)
        while progress.lines < mark.lines:
            raw = stream.readline(RECORD_BYTES_MAX)
            if not raw:
                return None
            if raw[-1] != 10 and len(raw) == RECORD_BYTES_MAX:
                progress.add_part(raw)
                continue
            progress.add(raw)
            note(without_end(raw))
    except (EOFError, zlib.error, OSError):
        return None
    return progress if progress.digest() == mark.digest else None
