"""What people compress, by its first bytes: gzip, xz, bzip2, zstd, unpacked as a stream in bounded memory. Whatever the name says."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import sys
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from streams.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: This much of a file is read at a time.
READ_BYTES = 1 << 20
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


def _zstd() -> _Tool:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.ZstdDecompressor(), zstd.ZstdError


_TOOLS: dict[re.Pattern[bytes], Callable[[], _Tool]] = {
    re.compile(rb"\x1f\x8b"): lambda: (_Gzip(), zlib.error),
    re.compile(rb"\xfd7zXZ\x00"): lambda: (
        lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_BYTES_MAX),
        lzma.LZMAError,
    ),
    re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"): lambda: (bz2.BZ2Decompressor(), OSError),
    # A frame, or one that is skipped: `pzstd` and others put one in front.
    re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"): _zstd,
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
                    if not (data := self._next_part()):
                        return 0
                    self._part, _ = self._tool()
                elif hungry:
                    data = self._packed.read1(READ_BYTES)
                if text := self._unpack(data, len(room)):
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
