"""Files of lines: reading them, and, where lines are events, what is refused and under which key the rest goes."""

import json
from bisect import bisect_left
from collections.abc import Iterator
from hashlib import blake2b
from typing import BinaryIO

import msgspec
import orjson

from streams.errors import InputError
from streams.publish.opening import UTF8_BOM, text_stream
from streams.publish.outbox import RECORD_BYTES_MAX
from streams.unpacking import Packing

#: What Kafka takes as value and key of one record: its own bound without what wraps them.
LINE_BYTES_MAX = RECORD_BYTES_MAX - 1024
TOO_LONG = f"longer than {LINE_BYTES_MAX:,} bytes, which is more than Kafka takes"
#: What is said once, instead of what is wrong with each of the lines.
OVER_LINES = (
    "one event a line is expected, but this line opens JSON that goes on in the next one: `jq -c . FILE > events.ndjson` writes one a line "
    "(`jq -c '.[]'` where the whole is an array)"
)
_NUL = b"\0"
_BLANK_STARTS = frozenset((b"", _NUL, b" ", b"\t", b"\r", b"\n", b"\v", b"\f"))
_ODD_STARTS = frozenset((_NUL, UTF8_BOM[:1]))
#: Split into lines at a time: small enough to stay in a processor's cache.
_BLOCK_BYTES = 1 << 16
GOES_ON_BYTES_MAX = 1000


class NotAnObject(InputError):
    """A line that is not a JSON object; the message says why."""


class Damaged(InputError):
    """The stream breaks off; the message says what to do, and never to try the same again where that cannot help.

    `doubtful`: what was read before that is in doubt, too.
    """

    def __init__(self, message: str, doubtful: bool) -> None:
        super().__init__(message)
        self.doubtful = doubtful


class InputLine(msgspec.Struct, frozen=True, gc=False):
    """One line: its bytes without their end, whether it had an end, its length. One longer than Kafka takes has only a `long_digest`."""

    content: bytes
    ended: bool
    length: int
    long_digest: int | None = None

    def digest(self) -> int:
        """128 bits that stand for the content, whatever its end: a line that got its newline later is the same line."""
        return digest_of(self.content) if self.long_digest is None else self.long_digest


def digest_of(content: bytes) -> int:
    """Return 128 bits that stand for these bytes."""
    return int.from_bytes(blake2b(content, digest_size=16).digest())


def read_lines(stream: BinaryIO) -> Iterator[InputLine]:
    """Read a stream line by line, unpacked if it is compressed, in bounded memory.

    Raises:
        InputError: the stream is not text at all.
        Damaged: it breaks off.
    """
    for piece in read_pieces(stream):
        if isinstance(piece, InputLine):
            yield piece
        else:
            yield from (InputLine(content, True, len(content)) for content in lines_of(piece))


def lines_of(block: bytes) -> list[bytes]:
    """The lines of a block, without their ends."""
    return [line.removesuffix(b"\r") for line in block.split(b"\n")[:-1]]


def read_pieces(stream: BinaryIO) -> Iterator[bytes | InputLine]:
    """As `read_lines`, errors too, for who can deal with many lines at once: most come in blocks of whole lines with their ends."""
    number = 0
    try:
        stream = text_stream(stream)
        while block := stream.read1(_BLOCK_BYTES):  # type: ignore[attr-defined]
            if end := block.rfind(b"\n") + 1:
                number += block.count(b"\n")
                yield block[:end]
            # As long as the bound, whatever the block had of it.
            raw = block[end:] + stream.readline(LINE_BYTES_MAX - (len(block) - end))
            if not raw:
                return
            number += 1
            raw = _behind_hole(raw, stream)
            if len(raw) == LINE_BYTES_MAX and raw[-1] != 10:
                yield _long_line(raw, stream)
            else:
                content = raw.removesuffix(b"\n").removesuffix(b"\r")
                yield InputLine(content, raw[-1:] == b"\n", len(content))
    except (EOFError, Packing, OSError) as error:
        raise Damaged(_damage(error, number), isinstance(error, Packing)) from None


def _behind_hole(raw: bytes, stream: BinaryIO) -> bytes:
    """What follows the zeros that a server leaves which goes on writing where it was after its file was truncated (`copytruncate`)."""
    while len(raw) == LINE_BYTES_MAX and raw.startswith(_NUL) and raw[-1] != 10:
        raw = raw.lstrip(_NUL)
        raw += stream.readline(LINE_BYTES_MAX - len(raw))
    return raw


def bare(line: bytes) -> bytes:
    """Return a line without the zeros and the byte order mark in front, which rotated files and files put together have."""
    return line.lstrip(_NUL).removeprefix(UTF8_BOM) if line[:1] in _ODD_STARTS else line


def is_blank(line: bytes) -> bool:
    """Whether there is nothing in a line, or zeros only: what a file system that lost power leaves at the end of a file."""
    return line[:1] in _BLANK_STARTS and not line.strip(b"\0 \t\r\n\v\f")


def _long_line(raw: bytes, stream: BinaryIO) -> InputLine:
    digest, length, ended = blake2b(digest_size=16), 0, False
    while raw and not ended:
        ended = raw[-1] == 10
        digest.update(raw[:-1] if ended else raw)
        length += len(raw) - ended
        raw = b"" if ended else stream.readline(LINE_BYTES_MAX)
    return InputLine(b"", ended, length, int.from_bytes(digest.digest()))


def _damage(error: Exception, lines: int) -> str:
    if isinstance(error, EOFError):
        return (
            f"its compressed data ends in the middle, after line {lines}: it was cut off or is still being written. Get the whole file "
            "under the same name, then run the same command again"
        )
    if isinstance(error, Packing):
        return (
            f"its compressed data is damaged after line {lines} ({error}): the same command again cannot help. Get the file again from "
            "where it came, under the same name, and run the command then"
        )
    return f"cannot be read on after line {lines} ({getattr(error, 'strerror', None) or error}): look at the disk or the network it is on"


def key_of(line: bytes) -> bytes | None:
    """Return the Kafka key of an event: the UTF-8 of its `visitor`, None where that is not a string.

    Everything that is a JSON object has a key or None, whatever its members: the chain validates it.

    Raises:
        NotAnObject: the line is not a JSON object.
    """
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        if goes_on(line):
            raise NotAnObject(OVER_LINES) from None
        document = _read_slowly(line)
    if type(document) is not dict:
        raise NotAnObject(f"JSON, but {_kind(document)} instead of an object")
    visitor = document.get("visitor")
    if type(visitor) is not str:
        return None
    try:
        return visitor.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, written as an escape
        return None


def goes_on(line: bytes) -> bool:
    """Whether a line that is no JSON looks like the first one of JSON that was printed over several lines."""
    bare = line.strip() if len(line) < GOES_ON_BYTES_MAX else b""
    return bare[:1] in (b"{", b"[") and (len(bare) == 1 or bare[-1:] in (b"{", b"[", b","))


def _read_slowly(line: bytes) -> object:
    """Read what orjson refuses: it is stricter than JSON on escapes, numbers and depth, and every JSON object is to be sent."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise NotAnObject(f"not UTF-8 (byte {error.start + 1} of the line)") from None
    try:
        return json.loads(text, parse_int=len, parse_float=len, parse_constant=_no_constant)
    except RecursionError:
        if text.lstrip().startswith("{"):
            return {}
        raise NotAnObject("not an object") from None
    except json.JSONDecodeError as error:
        raise NotAnObject(f"not JSON ({error.msg}, column {error.colno})") from None


def _no_constant(name: str) -> object:
    raise NotAnObject(f"not JSON ({name} is no JSON value)")


def _kind(document: object) -> str:
    names = {type(None): "null", list: "an array", str: "a string", bool: "true or false"}
    return names.get(type(document), "a number")


#: Lines of the beginning and of the end, and of all of them: those whose digests are lowest, which is any of them alike.
ENDS_KEPT = 32
LOWEST_KEPT = 128
_MASK = (1 << 64) - 1


class LineSample(msgspec.Struct, forbid_unknown_fields=True):
    """Digests (64 bits) of some of the lines that were given to `add`."""

    first: list[int] = msgspec.field(default_factory=list)
    last: list[int] = msgspec.field(default_factory=list)
    lowest: list[int] = msgspec.field(default_factory=list)

    def add(self, digest: int) -> None:
        """Take a line that was sent."""
        short = short_of(digest)
        if len(self.first) < ENDS_KEPT:
            self.first.append(short)
        self.last.append(short)
        if len(self.last) >= 4 * ENDS_KEPT:
            del self.last[:-ENDS_KEPT]
        lowest = self.lowest
        if len(lowest) < LOWEST_KEPT or short < lowest[-1]:
            at = bisect_left(lowest, short)
            if lowest[at : at + 1] != [short]:
                lowest.insert(at, short)
                del lowest[LOWEST_KEPT:]

    def copy(self) -> "LineSample":
        """Return one that does not change with this one."""
        return LineSample(list(self.first), self.last[-ENDS_KEPT:], list(self.lowest))

    def digests(self) -> set[int]:
        """All of them."""
        return {*self.first, *self.last[-ENDS_KEPT:], *self.lowest}


def short_of(digest: int) -> int:
    """A line's digest as samples hold it."""
    return digest & _MASK
