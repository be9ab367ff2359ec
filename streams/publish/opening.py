"""Files of events and standard input, also compressed ones."""

import io
import os
import sys
from pathlib import Path
from typing import BinaryIO, cast

from streams.errors import InputError
from streams.unpacking import READ_BYTES, START_BYTES, SUFFIXES, Unpacked, tool_for

UTF8_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff")


def open_events(name: str) -> tuple[BinaryIO, BinaryIO]:
    """Open a file of events, `-` for standard input; return the stream of lines and the file below it, whose position shows progress.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    if name == "-":
        if sys.stdin is None:
            raise InputError("standard input is closed: name a file of events, or give some on standard input")
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
    if Path(name).suffix in SUFFIXES and os.fstat(raw.fileno()).st_size == 0 and Path(name).is_file():
        raw.close()
        raise InputError(f"{name} is empty, which no compressed file is: it was cut off, get it again")
    return io.BufferedReader(raw, READ_BYTES), raw


def is_packed(name: str) -> bool:
    """Whether a file is compressed: only its end tells that it is whole.

    Raises:
        InputError: as `open_events`.
    """
    stream, raw = open_events(name)
    with raw, stream:
        return tool_for(stream.peek(START_BYTES)) is not None  # type: ignore[attr-defined]


def text_stream(stream: BinaryIO) -> BinaryIO:
    """Return a stream unpacked, and behind the byte order mark that some editors put in front of UTF-8.

    Raises:
        InputError: it is UTF-16, or compressed in an unknown way.
    """
    peeked = cast(
        io.BufferedReader, stream if hasattr(stream, "peek") else io.BufferedReader(cast(io.RawIOBase, stream))
    )
    if tool := tool_for(peeked.peek(START_BYTES)):
        peeked = io.BufferedReader(Unpacked(peeked, tool), READ_BYTES)
    start: bytes = peeked.peek(START_BYTES)[:START_BYTES]
    if start.startswith(UTF8_BOM):
        peeked.read(len(UTF8_BOM))
    elif start.startswith(_OTHER_BOMS) or _alternates(start[::2], start[1::2]) or _alternates(start[1::2], start[::2]):
        raise InputError("This is UTF-16, not UTF-8: convert it, for instance with `iconv -f UTF-16 -t UTF-8`")
    return peeked


def _alternates(some: bytes, others: bytes) -> bool:
    """Whether every other byte is zero, as in UTF-16 of Latin letters: not in the zeros that `copytruncate` leaves."""
    return len(others) > 1 and not some.strip(b"\0") and 0 not in others
