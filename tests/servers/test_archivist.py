"""The archive on a real Redis: nothing good is overwritten, nothing is trimmed before it is archived, whatever happens in between."""

import errno
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streams.catalog import Catalog
from streams.history.archive import Archive
from streams.history.day_columns import CutName
from streams.observe.archivist import RULES
from tests.history.days_made import file_of
from tests.servers.archive_chain import DAY, KEPT_HOURS, MIDNIGHT, WAIT_HOURS, Chain, hours, passes
from tests.servers.conftest import RedisServer
from tests.servers.observers import events

pytestmark = pytest.mark.servers


@pytest.fixture
def chain(redis_server: RedisServer, tmp_path: Path, catalog: Catalog) -> Chain:
    return Chain(redis_server.url, tmp_path, catalog)


def test_settled_hours_are_archived_with_everything_they_hold(chain: Chain) -> None:
    chain.count(hours(7, 8, 9))
    chain.settle(MIDNIGHT + 9 * 60)
    archivist = chain.archivist()
    archivist.archive_pass()
    # Hour 9 is not over.
    assert chain.archived() == {hour * 60 + minute: 10 for hour in (7, 8) for minute in range(0, 60, 15)}
    with file_of(Archive(chain.directory / "archive"), DAY) as file:
        day = file.day()
    assert [mark.measured_minutes for mark in day.hours] == [60, 60]
    assert [mark.offsets for mark in day.hours] == [{"0": (0, 120)}] * 2
    sums = {cut: (int(rows.events.sum()), int(rows.visits.sum()), rows.keys) for cut, rows in day.rows.items()}
    assert sums == {
        CutName.REGION: (80, 24, (("44",),)),
        CutName.REGION_SERVICE: (80, 40, (("44", "NOTES"),)),
        CutName.PROJECT: (80, 24, (("mbn",),)),
        CutName.PROFILE_REGION: (80, 24, (("44", "ELEVE"),)),
        CutName.ACADEMY: (80, 24, (("INCONNU",),)),
    }
    assert archivist.figures.waiting_minutes == 0
    assert archivist.figures.minute == MIDNIGHT + 9 * 60


def test_a_late_event_reaches_the_file_before_its_minute_is_trimmed(chain: Chain) -> None:
    chain.count(hours(7))
    chain.settle(MIDNIGHT + 8 * 60)
    archivist = chain.archivist()
    passes(archivist)
    chain.count({MIDNIGHT + 7 * 60: events(1)})  # late, and no other hour settles before the trimming
    archivist._due_again.clear()
    chain.settle(MIDNIGHT + (8 + KEPT_HOURS) * 60 - 1)  # the hour is due for trimming when this minute settles
    chain.settle(MIDNIGHT + (8 + KEPT_HOURS) * 60)
    archivist._last_hour = 10**9  # no hour is looked at again for another reason
    passes(archivist, 8)
    assert chain.archived()[7 * 60] == 11
    assert chain.reader().held() == []
    assert archivist.figures.missed_events == 0


def test_trimming_waits_for_the_archive_and_not_for_ever(chain: Chain, tmp_path: Path) -> None:
    chain.count(hours(7, 8))
    observer, archivist = chain.observer(), chain.archivist("blocked/archive")
    (tmp_path / "blocked").write_text("a file where the directory should be")
    archivist.loop.round()
    assert "set archive_dir" in (archivist.figures.problem or "")
    chain.settle(MIDNIGHT + (9 + KEPT_HOURS) * 60)
    observer.round()
    assert len(chain.reader().held()) == 8
    (tmp_path / "blocked").unlink()
    passes(archivist)
    assert chain.reader().held() == []
    assert len(chain.archived("blocked/archive")) == 8
    # What never comes into the archive is trimmed in the end, and counted.
    (tmp_path / "never").write_text("")
    chain.count(hours(9, each=7))
    chain.settle(MIDNIGHT + (10 + KEPT_HOURS + WAIT_HOURS) * 60)
    never = chain.archivist("never/archive")
    never.loop.round()
    chain.observer().round()
    assert chain.reader().held() == []
    passes(archivist)
    assert archivist.figures.missed_events == 28


def test_the_gap_is_told_while_nothing_can_be_written(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    chain.count(hours(7, 8))
    chain.settle(MIDNIGHT + 9 * 60)
    archivist = chain.archivist()
    passes(archivist)
    assert archivist.figures.waiting_minutes == 0
    monkeypatch.setattr(os, "fsync", full)
    chain.count(hours(9, 10, 11))
    chain.settle(MIDNIGHT + 12 * 60)
    archivist.loop.round()
    assert "no space is left" in (archivist.figures.problem or "")
    assert archivist.figures.waiting_minutes == 3 * 60
    # So does an observer that was begun when nothing could be written any more.
    (tmp_path / "blocked").write_text("a file where the directory should be")
    other = chain.archivist("blocked/archive")
    other.loop.round()
    assert other.figures.waiting_minutes == 5 * 60
    monkeypatch.undo()
    passes(archivist)
    assert archivist.figures.waiting_minutes == 0


def test_an_observer_without_an_archive_leaves_trimming_to_those_that_have_one(chain: Chain) -> None:
    chain.count(hours(7))
    chain.settle(MIDNIGHT + 7 * 60 + 30)
    chain.archivist().archive_pass()  # the archive is there, the hour is not over
    chain.settle(MIDNIGHT + (8 + KEPT_HOURS) * 60)
    chain.observer(has_archive=False).round()
    assert len(chain.reader().held()) == 4


def test_two_archives_are_waited_for(chain: Chain) -> None:
    chain.count(hours(7))
    chain.settle(MIDNIGHT + 8 * 60)
    one, other = chain.archivist("one"), chain.archivist("other")
    one.archive_pass()
    other.archive_pass()
    chain.count(hours(8))
    chain.settle(MIDNIGHT + (9 + KEPT_HOURS) * 60)
    passes(one)
    # The other had hour 7 only.
    assert [minute // 60 for minute in {m - MIDNIGHT for m in chain.reader().held()}] == [8] * 4
    passes(other)
    passes(one)
    assert chain.reader().held() == []
    assert chain.archived("one") == chain.archived("other")


def test_a_flush_of_redis_overwrites_nothing(chain: Chain) -> None:
    chain.count(hours(6))
    chain.count(hours(7, 8))
    chain.settle(MIDNIGHT + 9 * 60)
    archivist = chain.archivist()
    passes(archivist)
    good = chain.archived()
    size = chain.position
    # Emptied; the log is still there from its offset 40 on: hour 6 is gone, and half of the rest is not counted yet.
    chain.flush(first=40)
    archivist.archive_pass()
    chain.count(hours(7, each=5))
    chain.settle(MIDNIGHT + 9 * 60)
    passes(archivist)
    passes(chain.archivist())  # an observer that was started meanwhile
    assert chain.archived() == good
    # Counted again to where it stood, and further: what is new is archived, what reflects less still is not.
    chain.count(hours(7, each=5))
    chain.count(hours(8, 9))
    assert chain.position >= size
    chain.settle(MIDNIGHT + 10 * 60)
    passes(archivist)
    assert chain.archived() == good | {9 * 60 + minute: 10 for minute in range(0, 60, 15)}
    assert archivist.figures.refused_hours >= 1
    # The partial hour is trimmed all the same: the file has more.
    chain.settle(MIDNIGHT + (10 + KEPT_HOURS) * 60)
    passes(archivist, 8)
    assert chain.reader().held() == []
    assert archivist.figures.missed_events == 0


def test_a_redis_that_went_back_overwrites_nothing(chain: Chain) -> None:
    chain.count(hours(7, each=6))
    chain.count(hours(7, each=4))
    chain.settle(MIDNIGHT + 8 * 60)
    archivist = chain.archivist()
    passes(archivist)
    good = chain.archived()
    chain.flush()
    chain.count(hours(7, each=6))  # the older copy
    chain.settle(MIDNIGHT + 8 * 60)
    passes(archivist)
    assert chain.archived() == good
    chain.count(hours(7, each=4))  # counted again
    chain.count({MIDNIGHT + 7 * 60 + 1: events(1)})
    passes(chain.archivist())
    assert chain.archived() == good | {7 * 60 + 1: 1}


def test_an_event_for_a_trimmed_minute_is_told_and_harms_no_file(chain: Chain) -> None:
    chain.count(hours(7, 8))
    chain.settle(MIDNIGHT + 9 * 60)
    archivist = chain.archivist()
    passes(archivist)
    good = chain.archived()
    chain.settle(MIDNIGHT + (8 + KEPT_HOURS) * 60)
    passes(archivist)
    assert {(m - MIDNIGHT) // 60 for m in chain.reader().held()} == {8}
    chain.count({MIDNIGHT + 7 * 60: events(3)})
    passes(chain.archivist())
    archivist.archive_pass()
    archivist.archive_pass()
    assert chain.archived() == good
    assert archivist.figures.missed_events == 3
    assert {(m - MIDNIGHT) // 60 for m in chain.reader().held()} == {8}


def test_trimming_without_an_archive_is_as_ever_and_is_remembered(chain: Chain) -> None:
    chain.count(hours(7, 8))
    chain.settle(MIDNIGHT + 7 * 60 + 30 + KEPT_HOURS * 60)
    chain.observer(has_archive=False).round()
    assert len(chain.reader().held()) == 6
    # An archive that is set up later takes what is left, and says what it has.
    archivist = chain.archivist()
    passes(archivist)
    assert sorted(chain.archived()) == [7 * 60 + 30, 7 * 60 + 45, *range(8 * 60, 9 * 60, 15)]
    with file_of(Archive(chain.directory / "archive"), DAY) as file:
        assert [mark.measured_minutes for mark in file.head.hours][:2] == [30, 60]
    assert archivist.figures.missed_events == 0


def test_two_observers_on_one_directory_at_once(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.observe.archivist.RULES", replace(RULES, period_seconds=0.1, retry_seconds=0.1))
    chain.count(hours(*range(0, 12), every=5))
    chain.settle(MIDNIGHT + 12 * 60)
    several = [chain.archivist() for _ in range(3)]
    for archivist in several:
        archivist.loop.start()
    deadline = time.monotonic() + 60
    while any(a.figures.passes < 2 or a.figures.waiting_minutes for a in several):
        assert time.monotonic() < deadline, [a.figures for a in several]
        time.sleep(0.05)
    chain.count(hours(12, 13, every=5))
    for archivist in several:
        archivist.loop.stop(10)
    chain.settle(MIDNIGHT + 14 * 60)
    for archivist in several:
        passes(archivist, 2)
    assert chain.archived() == {hour * 60 + minute: 10 for hour in range(14) for minute in range(0, 60, 5)}


def _archive_for_ever(chain: Chain) -> None:
    archivist = chain.archivist()
    while True:
        archivist._known.clear()
        Archive(chain.directory / "archive").path(DAY).unlink(missing_ok=True)
        archivist.archive_pass()


def test_kill_while_writing_leaves_a_whole_file_or_none(chain: Chain) -> None:
    chain.count(hours(*range(12), every=1))
    chain.settle(MIDNIGHT + 12 * 60)
    whole = {hour * 60 + minute: 10 for hour in range(12) for minute in range(60)}
    context = multiprocessing.get_context("fork")
    for attempt in range(6):
        process = context.Process(target=_archive_for_ever, args=(chain,))
        process.start()
        time.sleep(0.25 + 0.07 * attempt)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join(5)
        assert chain.archived() in ({}, whole), attempt
    chain.archivist().archive_pass()
    assert chain.archived() == whole
    assert [path.name for path in (chain.directory / "archive" / "2026").iterdir()] == ["2026-09-01.parquet"]


def test_days_of_a_simulation_are_those_of_its_own_time(chain: Chain) -> None:
    shift = 86_400 * 3 + 3_000  # not a whole number of hours
    chain.count({minute - shift // 60: fields for minute, fields in hours(7, 8).items()})
    chain.settle(MIDNIGHT + 9 * 60 - shift // 60)
    passes(chain.archivist(shift_seconds=shift))
    assert chain.archived() == {hour * 60 + minute: 10 for hour in (7, 8) for minute in range(0, 60, 15)}
    archivist = chain.archivist(shift_seconds=0)
    archivist.loop.round()
    assert "holds simulated figures, these are real" in (archivist.figures.problem or "")


@pytest.fixture(autouse=True)
def _no_leftovers(chain: Chain) -> Iterator[None]:
    yield
    chain.flush()
