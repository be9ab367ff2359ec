"""What cannot be read for a reason that passes is not damaged; what is damaged in Redis does not keep the rest from the archive."""

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from streams.errors import InputError
from streams.history import hll
from streams.history.archive import Archive
from streams.history.arrow import cut_rows
from streams.history.whole_files import ArchiveError, UnreadableFileError
from tests.history.days_made import DAY, file_of, reading
from tests.history.test_archive import archive, events, update

__all__ = ["archive"]


@pytest.fixture
def descriptors(archive: Archive) -> Iterator[Callable[[int], None]]:
    """Leaves this process so many free descriptors; all of them again at the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []

    def leave(number: int) -> None:
        give_back()
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(number):
            os.close(taken.pop())

    def give_back() -> None:
        while taken:
            os.close(taken.pop())
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    yield leave
    give_back()


def test_a_file_that_cannot_be_opened_for_a_reason_that_passes_is_not_damaged(
    archive: Archive, descriptors: Callable[[int], None]
) -> None:
    update(archive, reading(7), reading(8))
    outcomes, said = set(), []
    for free in range(5):
        descriptors(free)
        try:
            update(archive, reading(9 + free))
            outcomes.add("written")
        except (ArchiveError, UnreadableFileError) as error:
            outcomes.add(type(error).__name__)
            said.append(str(error))
        for look in (archive.dates, archive.about, lambda: archive.open(DAY)):
            with suppress(UnreadableFileError):
                look()
        descriptors(100)
        assert [path.name for path in archive.path(DAY).parent.iterdir()] == [archive.path(DAY).name]
        assert events(archive, 7) == events(archive, 8) > 0
    assert all("open files" in text for text in said), said
    assert outcomes == {"written", "ArchiveError", "UnreadableFileError"}


@pytest.mark.parametrize("error", [OSError(errno.EIO, "I/O"), OSError(errno.EMFILE, "files"), MemoryError()])
def test_only_wrong_bytes_are_damage(archive: Archive, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    update(archive, reading(7), reading(8))
    with file_of(archive, DAY) as reader:
        monkeypatch.setattr(reader, "_file", SimpleNamespace(read_row_groups=fail, close=reader._file.close))
        with pytest.raises(UnreadableFileError, match="cannot be read"):
            reader.day()
    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        update(archive, reading(9))
    monkeypatch.undo()
    assert list(archive.path(DAY).parent.iterdir()) == [archive.path(DAY)]


def sparse(*runs: int) -> bytes:
    return b"HYLL" + bytes([1, 0, 0, 0]) + bytes(8) + bytes(runs)


@pytest.mark.parametrize(
    "sketch",
    [
        b"",
        b"HYLL",
        sparse(),
        sparse(0x7F),  # cut in the middle of a run of zeros
        sparse(0x7F, 0xFF, 0x7F),
        sparse(0x7F, 0xFF, 0x7F, 0xFF),  # more registers than there are
        sparse(0x80),
        sparse(0x3F) + b"\x7f",
        hll.sketch_of(np.zeros(hll.REGISTERS, np.uint8))[:-1],
        hll.sketch_of(np.full(hll.REGISTERS, 63, np.uint8)),
        b"HYLL" + bytes([2]) + bytes(11),
    ],
)
def test_a_half_written_sketch_is_refused(sketch: bytes) -> None:
    for use in (hll.registers_of, hll.count, lambda one: hll.union([one])):
        with pytest.raises(InputError, match="damaged"):
            use(sketch)


def test_rows_without_a_code_are_damage() -> None:
    codes = pa.array(["11", None]).dictionary_encode()
    table = pa.table({"region": codes, "minute": [60, 60], "events": [1, 1], "visits": [1, 1]})
    with pytest.raises(ValueError, match="rows without a code"):
        cut_rows(table, ("region",), "visits")
