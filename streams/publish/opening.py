"""Files and standard input, also as people compress them: gzip, xz, bzip2, zstd, told by their first bytes, unpacked in bounded memory."""

from __future__ import annotations

import bz2
import io
import lzma
import os
import re
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from streams.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: This much of a file is read at a time.
READ_BYTES = 1 << 20
UTF8_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff")
#: What xz may take; its strongest preset needs 65 MiB.
XZ_BYTES_MAX = 256 << 20
#: How far a file is looked at to tell what it is.
START_BYTES = 10
_FOREIGN = {
    b"PK\x03\x04": "zip: pipe it through `unzip -p`",
    b"\x1f\x9d": "compress: pipe it through `zcat`",
    b"\x04\x22\x4d\x18": "lz4: pipe it through `lz4 -dc`",
    b"LZIP": "lzip: pipe it through `lzip -dc`",
    b"7z\xbc\xaf\x27\x1c": "7z: pipe it through `7z x -so`",
}


class Packing(Exception):
    """The compressed data is not what its beginning promises; the message says what is wrong."""


class _Unpacker(Protocol):
    """One stream of compressed data, as the standard library unpacks it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """zlib's object under the names of the others."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


#: An unpacker of one stream, and what it raises where the data is damaged.
_Tool = tuple[_Unpacker, type[Exception]]


def _gzip() -> _Tool:
    return _Gzip(), zlib.error


def _xz() -> _Tool:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_BYTES_MAX), lzma.LZMAError


def _bzip2() -> _Tool:
    return bz2.BZ2Decompressor(), OSError


def _zstd() -> _Tool:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.ZstdDecompressor(), zstd.ZstdError


_TOOLS: dict[re.Pattern[bytes], Callable[[], _Tool]] = {
    re.compile(rb"\x1f\x8b"): _gzip,
    re.compile(rb"\xfd7zXZ\x00"): _xz,
    re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"): _bzip2,
    re.compile(rb"\x28\xb5\x2f\xfd"): _zstd,
}
#: Endings that such files have.
SUFFIXES = (".gz", ".xz", ".bz2", ".zst")


def tool_for(start: bytes) -> Callable[[], _Tool] | None:
    """Return how to unpack what begins with these bytes, None where it is not compressed.

    Raises:
        InputError: it is compressed in another way.
    """
    for magic, advice in _FOREIGN.items():
        if start.startswith(magic):
            raise InputError(f"This is compressed with {advice}")
    return next((tool for pattern, tool in _TOOLS.items() if pattern.match(start)), None)


class Unpacked(io.RawIOBase):
    """The text of compressed data, one stream of it or several behind each other.

    Unlike the standard library's own readers it takes no rubbish behind a stream for the end of the file.
    """

    def __init__(self, packed: io.BufferedReader, tool: Callable[[], _Tool]) -> None:
        self._packed = packed
        self._tool = tool
        self._part, self._damage = tool()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """As every raw stream does.

        Raises:
            EOFError: the data ends in the middle.
            Packing: it is damaged.
        """
        with memoryview(buffer).cast("B") as room:
            while True:
                data, hungry = b"", self._part.needs_input
                if self._part.eof:
                    data = self._next_part()
                    if not data:
                        return 0
                    self._part, _ = self._tool()
                elif hungry:
                    data = self._packed.read1(READ_BYTES)
                text = self._unpack(data, len(room))
                if text:
                    room[: len(text)] = text
                    return len(text)
                if hungry and not data and not self._part.eof:
                    raise EOFError

    def _next_part(self) -> bytes:
        """What follows a stream that has ended, without the zeros that fill a block."""
        data = self._part.unused_data or self._packed.read1(READ_BYTES)
        while data and not (rest := data.lstrip(b"\0")):
            data = self._packed.read1(READ_BYTES)
        return rest if data else b""

    def _unpack(self, data: bytes, length_max: int) -> bytes:
        try:
            return self._part.decompress(data, length_max)
        except self._damage as error:
            raise Packing(str(error)) from None


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
