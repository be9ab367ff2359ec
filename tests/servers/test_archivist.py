"""The archive on a real Redis: nothing good is overwritten, nothing is trimmed before it is archived, whatever happens in between."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from streams.catalog import Catalog
from streams.count import Delta
from streams.count.days import LocalDays
from streams.history import hll
from streams.history.archive import Archive
from streams.history.rows import CutName, minute_events
from streams.live import ArchiveReader, LiveReader, LiveWriter, SketchReader
from streams.live.connection import RedisAddress
from streams.observe import ArchiveRules, Archivist, Observer, Rules
from tests.servers.conftest import RedisServer
from tests.servers.observers import events

pytestmark = pytest.mark.servers

DAY = date(2026, 9, 1)
#: Midnight of that day in Paris, an epoch minute.
MIDNIGHT = 1788213600 // 60
KEPT_HOURS, WAIT_HOURS = 48, 24


@dataclass(slots=True)
class Chain:
    """A Redis that a test fills like a worker of one partition, and everything that observes it."""

    url: str
    directory: Path
    catalog: Catalog
    prefix: str = field(default_factory=lambda: f"test.{uuid.uuid4().hex[:12]}")
    first: int = 0
    position: int = 0
    topic_id: str = "topic-id"

    @property
    def address(self) -> RedisAddress:
        return RedisAddress(self.url)

    def count(self, minutes: dict[int, dict], sketches: dict | None = None, day_sketches: dict | None = None) -> None:
        """Apply one chunk; its offsets are as many as its events."""
        delta = Delta(None, self.first, 0, 1, 1, 1, minutes, {}, [], sketches or {}, day_sketches or {})
        for fields in minutes.values():
            for key, number in fields.items():
                delta.add_total(key, number)
        delta.start = self.position or None
        delta.end = (self.position or self.first) + max(
            1, sum(n for f in minutes.values() for k, n in f.items() if k[0] == "e")
        )
        asyncio.run(self._apply(delta))
        self.position = delta.end

    async def _apply(self, delta: Delta) -> None:
        writer = LiveWriter(self.address, self.prefix)
        try:
            await writer.prepare(self.catalog.digest, "topic", self.topic_id, 1)
            assert (await writer.apply(0, delta)).outcome == "applied"
        finally:
            await writer.close()

    def settle(self, minute: int) -> None:
        self.reader().settle(minute * 60_000)

    def reader(self) -> LiveReader:
        return LiveReader(self.address, self.prefix)

    def archivist(self, name: str = "archive", shift_seconds: int = 0) -> Archivist:
        rules = ArchiveRules(self.directory / name, shift_seconds, self.catalog.digest, KEPT_HOURS, WAIT_HOURS)
        return Archivist(ArchiveReader(self.address, self.prefix), rules)

    def observer(self, *, has_archive: bool = True) -> Observer:
        rules = Rules(self.catalog, LocalDays(self.catalog, 0), 20_000, KEPT_HOURS, WAIT_HOURS, has_archive)
        archives = ArchiveReader(self.address, self.prefix)
        return Observer(self.reader(), SketchReader(self.address, self.prefix, self.catalog), rules, archives=archives)

    def flush(self, first: int = 0) -> None:
        """Empty this installation; counting begins again at an offset."""
        redis = self.reader()._redis
        if held := redis.keys("{" + self.prefix + "}:*"):
            redis.delete(*held)
        self.first, self.position = first, 0

    def archived(self, name: str = "archive", day: date = DAY) -> dict[int, int]:
        """Events by minute after midnight, as the file has them; empty without a file."""
        reader = Archive(self.directory / name).open(day)
        if reader is None:
            return {}
        with reader:
            return {minute - MIDNIGHT: n for minute, n in minute_events(reader.rows(CutName.REGION)).items()}


@pytest.fixture
def chain(redis_server: RedisServer, tmp_path: Path, catalog: Catalog) -> Chain:
    return Chain(redis_server.url, tmp_path, catalog)


def hours(*numbers: int, each: int = 10, every: int = 15) -> dict[int, dict]:
    """Counts in every 15th minute of these hours after midnight of the day."""
    return {MIDNIGHT + hour * 60 + minute: events(each) for hour in numbers for minute in range(0, 60, every)}


def passes(archivist: Archivist, number: int = 4) -> None:
    for _pass in range(number):
        archivist.archive_pass()


def test_settled_hours_are_archived_with_everything_they_hold(chain: Chain) -> None:
    chain.count(hours(7, 8, 9))
    chain.settle(MIDNIGHT + 9 * 60)
    archivist = chain.archivist()
    archivist.archive_pass()
    # Hour 9 is not over.
    assert chain.archived() == {hour * 60 + minute: 10 for hour in (7, 8) for minute in range(0, 60, 15)}
    with Archive(chain.directory / "archive").open(DAY) as file:
        day = file.day()
    assert [mark.is_whole for mark in day.hours] == [True, True]
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
    archivist.try_pass()
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
    never.try_pass()
    chain.observer().round()
    assert chain.reader().held() == []
    passes(archivist)
    assert archivist.figures.missed_events == 28


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
    with Archive(chain.directory / "archive").open(DAY) as file:
        assert [mark.measured_minutes for mark in file.head.hours][:2] == [30, 60]
    assert archivist.figures.missed_events == 0


def test_two_observers_on_one_directory_at_once(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.observe.archivist.PERIOD_SECONDS", 0.1)
    chain.count(hours(*range(0, 12), every=5))
    chain.settle(MIDNIGHT + 12 * 60)
    several = [chain.archivist() for _ in range(3)]
    for archivist in several:
        archivist.start()
    deadline = time.monotonic() + 20
    while any(a.figures.passes < 2 or a.figures.waiting_minutes for a in several):
        assert time.monotonic() < deadline, [a.figures for a in several]
        time.sleep(0.05)
    chain.count(hours(12, 13, every=5))
    for archivist in several:
        archivist.stop(10)
    chain.settle(MIDNIGHT + 14 * 60)
    for archivist in several:
        passes(archivist, 2)
    assert chain.archived() == {hour * 60 + minute: 10 for hour in range(14) for minute in range(0, 60, 5)}


def test_users_and_establishments_of_a_day(chain: Chain, catalog: Catalog) -> None:
    seen = {f"visitor-{number}" for number in range(5000)}
    schools = {f"school-{number}" for number in range(700)}
    chain.count(
        hours(7),
        {MIDNIGHT + 7 * 60: {("sr", "44"): set(list(schools)[:400])}, MIDNIGHT + 7 * 60 + 15: {("sr", "44"): schools}},
        {DAY.isoformat(): {("dl", "44"): seen, ("dp", "01"): {"v"}}},
    )
    chain.settle(MIDNIGHT + 8 * 60)
    archivist = chain.archivist()
    archivist.archive_pass()
    chain.observer().round()
    archivist._last_hour = 0
    passes(archivist)
    with Archive(chain.directory / "archive").open(DAY) as file:
        sketches = file.sketches()
    redis = chain.reader()._redis
    base = "{" + chain.prefix + "}:day:" + DAY.isoformat()
    assert hll.count(sketches.users["region", "44"]) == redis.pfcount(base + ":dl:44")
    assert hll.count(sketches.users["paris", "01"]) == 1
    assert hll.count(sketches.establishments["region", "44"]) == redis.pfcount(base + ":sr:44")
    assert abs(redis.pfcount(base + ":sr:44") - 700) < 30


def test_counts_of_sketches_are_those_of_redis(redis_server: RedisServer, tmp_path: Path, catalog: Catalog) -> None:
    chain = Chain(redis_server.url, tmp_path, catalog)
    reader = ArchiveReader(chain.address, chain.prefix)
    raw, key = reader._raw, "{" + chain.prefix + "}:hll"
    kept = []
    for number in (0, 1, 5, 300, 3_000, 40_000, 400_000):
        for begin in range(0, number, 20_000):
            raw.pfadd(key + str(number), *(f"{number}-{i}" for i in range(begin, min(number, begin + 20_000))))
        if not number:
            raw.pfadd(key + "0")
        sketch = raw.get(key + str(number))
        assert hll.count(sketch) == raw.pfcount(key + str(number)), number
        kept.append((key + str(number), sketch))
    union = hll.union(sketch for _name, sketch in kept)
    assert hll.count(union) == raw.pfcount(*(name for name, _sketch in kept))
    raw.set(key + "back", union)
    assert raw.pfcount(key + "back") == hll.count(union)
    raw.delete(key + "back", *(name for name, _sketch in kept))


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
    archivist.try_pass()
    assert "holds simulated figures, these are real" in (archivist.figures.problem or "")


@pytest.fixture(autouse=True)
def _no_leftovers(chain: Chain) -> Iterator[None]:
    yield
    chain.flush()
