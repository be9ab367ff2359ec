"""Files of days: what was written comes back; nothing good is ever replaced by something that reflects less."""

import errno
import os
import resource
import sys
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from streams.cli import cli
from streams.history import hll
from streams.history.archive import Archive
from streams.history.arrow import DamagedFileError, MissingPyarrowError
from streams.history.compose import HourReading
from streams.history.day_columns import CutName, CutRows, Key, Sketches, minute_events, no_rows
from streams.history.marks import Choice, DayFile, HourSource
from streams.history.transfer import forget_users
from streams.history.whole_files import ArchiveError
from streams.observe import ArchiveRules, Archivist
from tests.history.days_made import DAY, FIRST_HOUR, file_of, reading


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive(tmp_path / "archive")
    made.prepare(simulated=False)
    return made


def update(archive: Archive, *readings: object, sketches: Sketches | None = None) -> dict[int, Choice]:
    done = archive.update(DAY, readings, sketches or Sketches.none())  # type: ignore[arg-type]
    return {hour - FIRST_HOUR: choice for hour, choice in done.choices.items()}


def events(archive: Archive, hour: int) -> int:
    with file_of(archive, DAY) as reader:
        counts = minute_events(reader.rows(CutName.REGION))
    first = (FIRST_HOUR + hour) * 60
    return sum(counts.get(minute, 0) for minute in range(first, first + 60))


def same(one: CutRows, other: CutRows) -> bool:
    arrays = ("series", "minute", "events", "visits", "late")
    return one.keys == other.keys and all(np.array_equal(getattr(one, a), getattr(other, a)) for a in arrays)


def test_what_is_written_comes_back(archive: Archive) -> None:
    sketch = hll.sketch_of(np.arange(hll.REGISTERS).astype(np.uint8) % 20)
    sketches = Sketches({("region", "44"): sketch, ("paris", "01"): sketch}, {("project", "mbn"): sketch})
    some = [reading(7, 90), reading(8, 51)]
    update(archive, *some, sketches=sketches)
    with file_of(archive, DAY) as reader:
        day = reader.day()
        for cut in CutName:
            assert same(day.rows[cut], CutRows.joined([r.rows[cut] for r in some])), cut
        assert same(
            reader.rows(CutName.REGION_SERVICE, "84"),
            day.rows[CutName.REGION_SERVICE].where(day.rows[CutName.REGION_SERVICE].series >= 2),
        )
        assert reader.rows(CutName.REGION_SERVICE, "11").keys == ()
    assert day.sketches == sketches
    assert [mark.hour - FIRST_HOUR for mark in day.hours] == [7, 8]
    assert day.hours[0] == some[0].mark
    assert archive.dates() == [DAY]


def test_hours_are_added_and_nothing_is_written_twice(archive: Archive) -> None:
    assert update(archive, reading(7)) == {7: Choice.TAKEN}
    assert update(archive, reading(7), reading(8)) == {7: Choice.SAME, 8: Choice.TAKEN}
    before = archive.path(DAY).stat().st_mtime_ns
    assert update(archive, reading(7), reading(8)) == {7: Choice.SAME, 8: Choice.SAME}
    assert archive.path(DAY).stat().st_mtime_ns == before
    assert (events(archive, 7), events(archive, 8)) == (90 * 2 * 60, 90 * 2 * 60)


def test_late_events_come_in_with_later_offsets(archive: Archive) -> None:
    update(archive, reading(7), reading(8))
    assert update(archive, reading(7, 91, offsets={"0": (0, 1001)})) == {7: Choice.TAKEN}
    assert (events(archive, 7), events(archive, 8)) == (91 * 2 * 60, 90 * 2 * 60)


@pytest.mark.parametrize(
    ("offsets", "why"),
    [
        ({"0": (0, 999)}, "Redis was set back to an older copy, or is counting again after a flush"),
        ({"0": (1, 5000)}, "Redis was emptied, and retention removed what was counted before"),
        ({"1": (0, 5000)}, "a partition is missing"),
        ({}, "nothing is counted"),
    ],
)
def test_a_reading_that_reflects_less_is_refused(
    archive: Archive, offsets: dict[str, tuple[int, int]], why: str
) -> None:
    update(archive, reading(7, offsets={"0": (0, 1000)}))
    # Even one that has more events: what it has not seen may be among those of the file.
    refused = reading(7, 500)
    refused = HourReading(msgspec.structs.replace(refused.mark, offsets=offsets), refused.rows)
    assert update(archive, refused) == {7: Choice.REFUSED}, why
    assert events(archive, 7) == 90 * 2 * 60


def test_other_readings_that_are_refused(archive: Archive) -> None:
    update(archive, reading(7))
    later = {"0": (0, 2000)}
    assert update(archive, reading(7, 500, offsets=later, topic_id="created anew")) == {7: Choice.REFUSED}
    assert update(archive, reading(7, 500, offsets=later, source=HourSource.IMPORT)) == {7: Choice.REFUSED}
    assert update(archive, reading(7, 500, offsets=later, measured=59)) == {7: Choice.REFUSED}
    # Fewer events than the file has, whatever the offsets say: an hour whose minutes were trimmed.
    assert update(archive, reading(7, 3, offsets=later)) == {7: Choice.REFUSED}
    assert events(archive, 7) == 90 * 2 * 60
    # Another hour of the new topic is welcome.
    assert update(archive, reading(8, topic_id="created anew")) == {8: Choice.TAKEN}


def test_a_partition_more_is_no_less(archive: Archive) -> None:
    update(archive, reading(7))
    assert update(archive, reading(7, 95, offsets={"0": (0, 1000), "1": (0, 10)})) == {7: Choice.TAKEN}


def test_an_hour_that_was_half_measured_is_completed(archive: Archive) -> None:
    update(archive, reading(7, measured=30))
    assert update(archive, reading(7)) == {7: Choice.TAKEN}
    assert events(archive, 7) == 90 * 2 * 60


def test_sketches_only_grow(archive: Archive) -> None:
    low, high = np.zeros(hll.REGISTERS, np.uint8), np.zeros(hll.REGISTERS, np.uint8)
    low[:100], high[50:150] = 3, 2
    update(archive, reading(7), sketches=Sketches({("region", "44"): hll.sketch_of(low)}, {}))
    update(archive, reading(7), sketches=Sketches({("region", "44"): hll.sketch_of(high)}, {}))
    with file_of(archive, DAY) as reader:
        kept = reader.sketches().users["region", "44"]
    assert np.array_equal(hll.registers_of(kept), np.maximum(low, high))


def test_a_write_that_fails_leaves_the_file(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    update(archive, reading(7))
    before = archive.path(DAY).read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArchiveError, match="no space is left: free some"):
        update(archive, reading(8))
    monkeypatch.undo()
    assert archive.path(DAY).read_bytes() == before
    assert [path.name for path in archive.path(DAY).parent.iterdir()] == [archive.path(DAY).name]
    assert update(archive, reading(8)) == {8: Choice.TAKEN}


def test_a_file_that_the_kernel_cuts_short_is_none(archive: Archive) -> None:
    update(archive, reading(7))
    before = archive.path(DAY).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(ArchiveError, match="cannot be written"):
            update(archive, reading(8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert archive.path(DAY).read_bytes() == before
    assert update(archive, reading(8)) == {8: Choice.TAKEN}


def test_without_pyarrow_everything_that_needs_it_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingPyarrowError, match=r"pip install 'vigie\[history\]'"):
        Archive(tmp_path)
    done = CliRunner().invoke(cli, ["report", "day", "--day", "2026-09-01", "--archive", str(tmp_path)])
    assert isinstance(done.exception, MissingPyarrowError)
    # An observer says it once, and goes on.
    archivist = Archivist(None, ArchiveRules(tmp_path, 0, "", 72, 72))  # type: ignore[arg-type]
    archivist.loop.round()
    archivist.loop.round()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert archivist.figures.failures == 2


def test_sketches_of_users_are_forgotten_when_they_are_due_and_nothing_else(archive: Archive) -> None:
    sketch = hll.sketch_of(np.arange(hll.REGISTERS).astype(np.uint8) % 20)
    kept: dict[Key, bytes] = {("project", "mbn"): sketch}
    days = [DAY - timedelta(days=back) for back in range(3)]
    for day in days:  # without minutes, which belong to one day
        archive.write(DayFile(day, 0, (), no_rows(), Sketches({("region", "44"): sketch}, kept)))
    update(archive, reading(7))
    assert forget_users(archive, DAY, most=1) == ({days[2]}, False)
    assert forget_users(archive, DAY, {days[2]}) == ({days[1], days[2]}, True)
    for day in days:
        with file_of(archive, day) as reader:
            assert reader.sketches() == Sketches({("region", "44"): sketch} if day == DAY else {}, kept)
    written = archive.path(days[1]).stat().st_mtime_ns
    assert forget_users(archive, DAY) == ({days[1], days[2]}, True)
    assert archive.path(days[1]).stat().st_mtime_ns == written  # nothing is left to remove: not written again
    # Of a day with counts only its users go.
    assert forget_users(archive, DAY + timedelta(days=1)) == (set(days), True)
    with file_of(archive, DAY) as reader:
        assert reader.sketches() == Sketches({}, kept)
    assert events(archive, 7) == 90 * 2 * 60


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="set archive_dir"):
        Archive(tmp_path / "file" / "archive").prepare(simulated=False)


@pytest.mark.parametrize("where", [0.02, 0.5, 0.98])
def test_a_damaged_file_is_noticed_and_written_anew(archive: Archive, where: float) -> None:
    update(archive, reading(7), reading(8))
    path = archive.path(DAY)
    content = bytearray(path.read_bytes())
    for offset in range(40):
        content[int(len(content) * where) + offset - 20 * (where > 0.9)] ^= 0x5A
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="is damaged"), file_of(archive, DAY) as reader:
        reader.day()
    done = archive.update(DAY, [reading(7), reading(8)], Sketches.none())
    assert done.damaged is not None
    assert done.damaged.read_bytes() == bytes(content)
    assert set(done.choices.values()) == {Choice.TAKEN}
    assert events(archive, 8) == 90 * 2 * 60


def test_a_file_cut_short_is_noticed(archive: Archive) -> None:
    update(archive, reading(7))
    path = archive.path(DAY)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedFileError):
        archive.open(DAY)


def test_real_and_simulated_figures_are_kept_apart(archive: Archive) -> None:
    with pytest.raises(ArchiveError, match="holds real figures, these are simulated"):
        archive.prepare(simulated=True)
    assert archive.prepare(simulated=False).id == archive.prepare(simulated=False).id
