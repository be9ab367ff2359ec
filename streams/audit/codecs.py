"""Compression for kafka-python's reader: cramjam, which aiokafka needs anyway, in the places of python-snappy and zstandard.

Publishers choose how they compress; franz-go takes snappy by itself. Without this a recount of such a topic would end with an error.
"""

from __future__ import annotations

import io

import cramjam
import kafka.codec


class _Snappy:
    """What kafka-python calls of python-snappy."""

    @staticmethod
    def decompress(data: bytes) -> bytes:
        return bytes(cramjam.snappy.decompress_raw(data))


class _Zstd:
    """What kafka-python calls of zstandard."""

    class ZstdDecompressor:
        def stream_reader(self, source: io.BytesIO, read_across_frames: bool = True) -> io.BytesIO:
            assert read_across_frames
            return io.BytesIO(bytes(cramjam.zstd.decompress(source.read())))


def read_every_codec() -> None:
    """Let kafka-python read snappy and zstd, where nothing else does."""
    if not kafka.codec.has_snappy():
        kafka.codec.snappy = _Snappy
    if not kafka.codec.has_zstd():
        kafka.codec.zstd = _Zstd
