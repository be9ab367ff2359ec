"""Files of events, one JSON object a line: what is sent, what is refused, and under which key."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from streams.errors import InputError

#: The reader buffers this much of a file.
READ_BYTES = 1 << 20
_UTF8_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff")
_GZIP_MAGIC = b"\x1f\x8b"


class NotAnObject(InputError):
    """A line that is not a JSON object; the message says why."""


def key_of(line: bytes) -> bytes | None:
    """Return the Kafka key of an event: the UTF-8 of its `visitor`, None where that is not a string.

    Everything that is a JSON object has a key or None, whatever its members: the chain judges it.

    Raises:
        NotAnObject: the line is not a JSON object.
    """
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
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
    if document is None:
        return "null"
    names: dict[type, str] = {list: "an array", str: "a string", bool: "true or false"}
    return names.get(type(document), "a number")


def without_end(raw: bytes) -> bytes:
    """Return a line without its newline, and without the carriage return before it."""
    if raw[-1:] != b"\n":
        return raw
    return raw[:-2] if raw[-2:] == b"\r\n" else raw[:-1]


def open_events(name: str) -> tuple[BinaryIO, BinaryIO]:
    """Open a file of events, `-` for standard input; return the stream of lines and the file below it, whose position shows progress.

    Names that end in `.gz` are decompressed.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    if name == "-":
        return sys.stdin.buffer, sys.stdin.buffer
    try:
        raw = open(name, "rb", buffering=0)  # noqa: SIM115  # closed by the caller
    except FileNotFoundError:
        raise InputError(f"There is no file {name}: name a file of events, or - for standard input") from None
    except IsADirectoryError:
        raise InputError(
            f"{name} is a directory: name a file of events, or use `cat {name}/* | vigie publish -`"
        ) from None
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from None
    if Path(name).suffix == ".gz":
        # Without a buffer of our own: filling it would drop the good lines before a damaged spot.
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw)), raw
    return io.BufferedReader(raw, READ_BYTES), raw


def skip_mark(stream: BinaryIO) -> None:
    """Skip the byte order mark that some editors put in front of UTF-8.

    Raises:
        InputError: the stream begins like UTF-16 or gzip.
    """
    peek = getattr(stream, "peek", None)
    start: bytes = peek(4)[:4] if peek else b""
    if start.startswith(_UTF8_BOM):
        stream.read(len(_UTF8_BOM))
    elif start.startswith(_OTHER_BOMS):
        raise InputError("This is UTF-16, not UTF-8: convert it, for instance with `iconv -f UTF-16 -t UTF-8`")
    elif start.startswith(_GZIP_MAGIC):
        raise InputError("This is compressed: give a file whose name ends in .gz, or pipe it through `zcat`")
