"""The resume mark: how far a file was published, kept beside it, so that running the same command again sends what is missing, not all.

`access.log` -> `access.log.vigie-mark`. A mark speaks of lines by their content: it fits a file that begins with the lines it speaks of,
under whatever name. The lines are added up as 128-bit digests, so that one may be taken out again: those that were not delivered
(unreadable, or not confirmed by Kafka) are *open*. They are in no sum, may be mended or deleted in the file; every run tries them again.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from streams.decoded_types import known
from streams.errors import InputError
from streams.lock_file import release, take
from streams.publish.event import fingerprint
from streams.publish.lines import InputLine, LineSample, digest_of
from streams.whole_file import replace_whole

MARK_SUFFIX = ".vigie-mark"
#: Marks of one file: for other projects and topics, and of the files that bore its name before.
MARKS_MAX = 8
#: Unreadable lines that are open; the ones after are closed unsent, and every run says how many.
UNREADABLE_OPEN_MAX = 10_000
DIGEST_BITS = 128


class ResumeMark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`lines` lines were dealt with: `sent` are confirmed by Kafka, `skipped` are no events, `lost` are closed unsent, the rest is open.

    `digest`: the sum of the digests of all that are not open. `open`: (first line, how many). `tail_bytes`: length of the last line where
    it had no end, else 0. `at_ms`: the time of lines that carry none. `secrets`: project -> fingerprint of the secret with which its users
    became pseudonyms.
    """

    format: str
    project: str
    topic: str
    lines: int
    sent: int
    skipped: int
    lost: int
    digest: str
    open: tuple[tuple[int, int], ...]
    tail_bytes: int
    sample: LineSample
    at_ms: int | None = None
    secrets: dict[str, str] = {}

    def open_lines(self) -> Iterator[int]:
        """The numbers of the open lines."""
        for first, number in self.open:
            yield from range(first, first + number)

    @property
    def open_count(self) -> int:
        """How many lines are open."""
        return sum(number for _, number in self.open)


class _Held(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file of marks holds, newest first."""

    marks: tuple[ResumeMark, ...]


class Book:
    """What is dealt with in one run, from the mark on with which it began."""

    def __init__(
        self, format_name: str, project: str, topic: str, mark: ResumeMark | None = None, at_ms: int | None = None
    ) -> None:
        self.at_ms = at_ms
        self.secrets = dict(mark.secrets) if mark else {}
        self.of = (format_name, project, topic)
        self.lines = mark.lines if mark else 0
        self.sent = mark.sent if mark else 0
        self.skipped = mark.skipped if mark else 0
        self.lost = mark.lost if mark else 0
        self.tail_bytes = mark.tail_bytes if mark else 0
        self.open = set(mark.open_lines()) if mark else set[int]()
        self._sum = int(mark.digest, 16) if mark else 0
        self._sample = mark.sample.copy() if mark else LineSample()

    def is_done(self, number: int) -> bool:
        """Whether an earlier run dealt with this line."""
        return number <= self.lines and number not in self.open

    def send(self, number: int, line: InputLine, digest: int) -> None:
        """Note a line that was handed over; `fail` takes it back."""
        self._take(number, digest, line)
        self.sent += 1
        self._sample.add(digest)

    def skip(self, number: int, line: InputLine) -> None:
        """Note a line that is no event; one without its end may still become one."""
        if line.ended:
            self._take(number, line.digest(), line)
            self.skipped += 1

    def leave(self, number: int, line: InputLine) -> None:
        """Note a line that cannot be read: open, as long as not too many are."""
        if not line.ended:
            return
        if number in self.open or len(self.open) < UNREADABLE_OPEN_MAX:
            self._advance(number, line)
            self.open.add(number)
        else:
            self._take(number, line.digest(), line)
            self.lost += 1

    def fail(self, number: int, digest: int) -> None:
        """Note that Kafka did not confirm a line: it is open again."""
        self.sent -= 1
        self._sum -= digest
        self.open.add(number)

    def see_tail(self, line: InputLine) -> bytes | None:
        """Look at the last line of the mark, which had no end then; return what it was then if it has grown since, else None."""
        before = line.content[: self.tail_bytes]
        grown = line.length > self.tail_bytes
        if grown:
            self._sum += line.digest() - digest_of(before)
        self.tail_bytes = 0 if line.ended else line.length
        return before if grown else None

    def _take(self, number: int, digest: int, line: InputLine) -> None:
        self._advance(number, line)
        self.open.discard(number)
        self._sum += digest

    def _advance(self, number: int, line: InputLine) -> None:
        if number > self.lines:
            assert number == self.lines + 1, "lines are dealt with in order"
            self.lines = number
        if number == self.lines:
            self.tail_bytes = 0 if line.ended else line.length

    def note_secrets(self, secrets: Mapping[str, bytes]) -> None:
        """Note with which secret the users of each project became pseudonyms."""
        self.secrets.update({project: fingerprint(secret) for project, secret in secrets.items()})

    def mark(self) -> ResumeMark | None:
        """Return the mark as of now; only while Kafka owes no answer. None where nothing is dealt with."""
        if len(self.open) == self.lines:
            return None
        digest = f"{self._sum % (1 << DIGEST_BITS):032x}"
        ranges = _ranges(self.open)
        numbers = (self.lines, self.sent, self.skipped, self.lost)
        return ResumeMark(
            *self.of, *numbers, digest, ranges, self.tail_bytes, self._sample.copy(), self.at_ms, dict(self.secrets)
        )


def _ranges(numbers: set[int]) -> tuple[tuple[int, int], ...]:
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == sum(found[-1]):
            found[-1][1] += 1
        else:
            found.append([number, 1])
    return tuple((first, count) for first, count in found)


class MarkFile:
    """The marks of one file of lines, at its real path: links to it share them."""

    def __init__(self, of: Path) -> None:
        real = Path(os.path.realpath(of))
        self.path = real.with_name(real.name + MARK_SUFFIX)
        self.trouble: str | None = None
        self._others: list[ResumeMark] = []

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs away, and see that marks can be written before anything is sent.

        Raises:
            InputError: another run is at work on the file, or its directory cannot be written to.
        """
        lock = self.path.with_name(self.path.name + ".lock")
        try:
            file = take(lock)
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be written ({error.strerror}): without it the next run would send everything again. Make the "
                "directory writable, publish a copy elsewhere, or give --no-mark and never run it twice"
            ) from None
        if file is None:
            raise InputError(
                f"another `vigie publish` is at work on {str(self.path).removesuffix(MARK_SUFFIX)}: wait until it ends"
            )
        try:
            yield
        finally:
            release(lock, file)

    def read(self) -> tuple[ResumeMark, ...]:
        """Return the marks, newest first.

        Raises:
            InputError: the file is damaged.
        """
        try:
            # Not through a symbolic link: in a directory that others write to it may lead anywhere.
            with os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
                return msgspec.json.decode(file.read(), type=known(_Held)).marks
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.path} cannot be read ({error}), so nobody knows what was published: remove it and give --again to send everything "
                "(what Kafka took more than 10 minutes ago then counts a second time), or put the new lines alone into another file"
            ) from None

    def keep(self, others: tuple[ResumeMark, ...]) -> None:
        """Name the marks that are to stay beside the one that `write` writes."""
        self._others = list(others)

    def write(self, mark: ResumeMark) -> None:
        """Replace this run's mark, whole or not at all. Never raises: `trouble` tells."""
        same = (mark.format, mark.project, mark.topic, mark.lines, mark.digest)
        others = [o for o in self._others if (o.format, o.project, o.topic, o.lines, o.digest) != same]
        held = msgspec.json.encode(_Held((mark, *others[: MARKS_MAX - 1]))) + b"\n"
        try:
            replace_whole(self.path, lambda fresh: fresh.write_bytes(held))
            self.trouble = None
        except OSError as error:
            self.trouble = (
                f"{self.path} cannot be written ({error.strerror}): the next run sends again what this one sent. Within 10 minutes ids "
                "keep that from counting twice, later not"
            )
