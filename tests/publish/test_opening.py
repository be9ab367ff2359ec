"""Files as rotation, compression and editors leave them: which lines come out of them, and what is said of those that are damaged."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import sys
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import InputError
from streams.publish import lines as lines_module
from streams.publish.lines import LINE_BYTES_MAX, Damaged, is_blank, read_lines
from streams.publish.opening import is_packed, open_events
from streams.publish.outcomes import classify
from streams.publish.readers import NativeLines, Outgoing
from tests.publish.runs import Ents, events, write

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zst": zstd.compress,
}
TEXT = b"".join(b'{"id":"%d"}\n' % n for n in range(50_000))
HOLE = b"\0" * 4096


def lines(content: bytes | Iterable[bytes]) -> list[bytes]:
    stream = io.BytesIO(content if isinstance(content, bytes) else b"".join(content))
    return [line.content for line in read_lines(stream)]


def sent(content: bytes) -> list[bytes]:
    found = [classify(line, NativeLines()) for line in read_lines(io.BytesIO(content))]
    return [each.value for each in found if isinstance(each, Outgoing)]


@pytest.mark.parametrize("packing", PACKERS)
def test_compressed_files_are_read_whatever_their_name(packing: str, tmp_path: Path) -> None:
    pack = PACKERS[packing]
    for name in (f"access.log.1.{packing}", "access.log-20260901", "access.log.gz"):
        path = tmp_path / name
        path.write_bytes(pack(TEXT))
        stream, raw = open_events(str(path))
        with raw, stream:
            assert b"".join(line.content + b"\n" for line in read_lines(stream)) == TEXT
        assert is_packed(str(path))
    assert lines(pack(TEXT[:100]) + pack(TEXT[100:300])) == lines(TEXT[:300]), "put together"
    assert lines(pack(b"\xef\xbb\xbf{}\n") + bytes(12) + pack(b"{}\n") + bytes(8)) == [b"{}", b"{}"], "padded"
    assert lines(pack(b"")) == []


@pytest.mark.parametrize("packing", PACKERS)
def test_damaged_compressed_files_are_said_to_be(packing: str) -> None:
    packed = PACKERS[packing](TEXT)
    for cut in (len(packed) - 1, len(packed) // 2, 12):
        with pytest.raises(Damaged, match="compressed data ends in the middle") as why:
            lines(packed[:cut])
        assert not why.value.doubtful
    middle = len(packed) // 2
    flipped = packed[:middle] + bytes(byte ^ 0x55 for byte in packed[middle : middle + 40]) + packed[middle + 40 :]
    for damaged in (flipped, packed + b"rubbish" * 3, packed + TEXT):
        with pytest.raises(Damaged, match="compressed data is damaged") as why:
            lines(damaged)
        assert why.value.doubtful


def test_a_frame_of_zstd_that_is_skipped_may_come_first() -> None:
    skipped = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"size"
    assert sent(skipped + zstd.compress(TEXT) + skipped) == TEXT.splitlines()


def test_a_bomb_is_unpacked_in_bounded_memory() -> None:
    for pack in (gzip.compress, lzma.compress, zstd.compress):
        packed = pack(bytes(30_000_000) + b"{}\n")
        tracemalloc.start()
        try:
            assert sent(packed) == [b"{}"]
            assert tracemalloc.get_traced_memory()[1] < 15_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    "start", [b"PK\x03\x04", b"\x1f\x9d\x90", b"\x04\x22\x4d\x18", b"LZIP\x01", b"7z\xbc\xaf\x27\x1c"]
)
def test_other_ways_to_compress_are_named(start: bytes) -> None:
    with pytest.raises(InputError, match=r"This is compressed with .* pipe it through"):
        lines(start + b"rest")


@pytest.mark.parametrize("suffix", PACKERS)
def test_an_empty_file_is_empty_and_a_compressed_one_is_cut_off(suffix: str, tmp_path: Path) -> None:
    assert lines(b"") == []
    path = tmp_path / f"access.log.1.{suffix}"
    path.touch()
    with pytest.raises(InputError, match="is empty, which no compressed file is"):
        open_events(str(path))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        open_events(str(tmp_path / "nothing.ndjson"))
    with pytest.raises(InputError, match="directory"):
        open_events(str(tmp_path))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_refused_as_a_whole(encoding: str) -> None:
    for text in ("{}\n{}\n", "203.0.113.7 - u [...]"):
        with pytest.raises(InputError, match="UTF-16"):
            lines(text.encode(encoding))


def test_marks_of_editors_and_line_ends() -> None:
    bom = b"\xef\xbb\xbf"
    assert sent(bom + b'{"id":"a"}\r\n' + bom + b'{"id":"b"}') == [b'{"id":"a"}', b'{"id":"b"}'], "put together"
    assert lines(b"a\r\nb\r") == [b"a", b"b"]
    assert lines(b"a\n\nb\n") == [b"a", b"", b"b"]
    assert lines(b"a\rb\n") == [b"a\rb"], "for the reader to refuse"
    assert lines(b"a") == lines(b"a\n") == [b"a"]


@pytest.mark.parametrize(
    "hole", [b"\0", b"\0" * 9, HOLE, HOLE * 256, HOLE * 600, bytes(LINE_BYTES_MAX - 1), bytes(LINE_BYTES_MAX)]
)
def test_the_hole_that_copytruncate_leaves_is_no_part_of_a_line(hole: bytes) -> None:
    good = b'{"id":"a"}'
    assert sent(hole + good + b"\n" + good) == [good, good]
    assert sent(good + b"\n" + hole + good + b"\n") == [good, good]
    assert sent(good + b"\n" + hole) == [good]
    found = [classify(line, NativeLines()) for line in read_lines(io.BytesIO(b'{"id"' + hole + b':"a"}\n'))]
    assert not isinstance(found[0], Outgoing), "zeros within a line: two lines ran into each other"


def test_a_line_behind_a_hole_is_too_long_only_by_itself() -> None:
    for length in (LINE_BYTES_MAX - 1, LINE_BYTES_MAX, LINE_BYTES_MAX + 1):
        (line,) = read_lines(io.BytesIO(HOLE * 300 + b"x" * length + b"\n"))
        assert (line.length, line.long_digest is not None, line.ended) == (length, length >= LINE_BYTES_MAX, True)


@given(
    st.lists(st.sampled_from([b"", b"a", b"\r", b"bc", b"\0", b"x" * 9, b"\r\n", b"\n"]), max_size=30).map(b"".join),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_lines_are_the_same_whatever_is_read_at_a_time(text: bytes, block: int, buffer: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lines_module, "_BLOCK_BYTES", block)
        found = list(read_lines(io.BufferedReader(io.BytesIO(b"id\n" + text), buffer)))
    wanted = text.split(b"\n")
    ended = len(wanted) - 1
    wanted = wanted if wanted[-1] else wanted[:-1]
    assert [(line.content, line.ended) for line in found[1:]] == [
        (raw.removesuffix(b"\r"), number < ended) for number, raw in enumerate(wanted)
    ]
    assert all(line.length == len(line.content) for line in found)


def test_a_line_is_given_before_the_next_one_is_waited_for() -> None:
    end, begin = os.pipe()
    with open(end, "rb") as stream:
        os.write(begin, b"one\ntwo\nthr")
        found = read_lines(stream)
        assert [next(found).content, next(found).content] == [b"one", b"two"]
        os.write(begin, b"ee\n")
        assert next(found).content == b"three"
        os.close(begin)
        assert list(found) == []


def test_blank_lines() -> None:
    assert all(map(is_blank, (b"", b" \t", b"\r", b"\0\0", b"\0 ")))
    assert not is_blank(b"\0x")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "access.log", events(0, 1000))


def test_a_server_goes_on_where_it_was_in_a_truncated_log(log: Path) -> None:
    """`copytruncate` under a server that does not append: zeros stand where the published lines were."""
    ents = Ents()
    ents.run(log)
    hole = bytes(log.stat().st_size)
    shutil.copy(log, log.with_name("access.log-20260901"))
    log.write_bytes(hole + b"\n".join(events(1000, 5)) + b"\n")
    assert ents.run(log) == [hole + events(1000, 1)[0], *events(1001, 4)]
    with log.open("ab") as file:
        file.write(events(1005, 1)[0] + b"\n")
    assert ents.run(log) == events(1005, 1)
    assert ents.run(log.with_name("access.log-20260901")) == []


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_a_log_is_compressed_with_what_people_have(log: Path, pack: Callable[[bytes], bytes]) -> None:
    ents = Ents()
    ents.run(log)
    packed = log.with_name("access.log-20260901.packed")
    packed.write_bytes(pack(log.read_bytes() + events(1000, 1)[0] + b"\n"))
    log.unlink()
    assert ents.run(packed) == events(1000, 1)
    assert ents.run(packed) == []
