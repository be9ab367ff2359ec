"""What is read of the past while Redis goes on: hours without a seam, users and establishments as Redis counts them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streams.catalog import Catalog
from streams.clock import paris_day
from streams.errors import ServerError
from streams.history import hll
from streams.history.archive import Archive
from streams.history.reading import History
from streams.live import ArchiveReader
from streams.live.connection import RedisAddress
from tests.history.days_made import file_of
from tests.servers.archive_chain import DAY, MIDNIGHT, Chain, hours, passes
from tests.servers.conftest import RedisServer
from tests.servers.observers import events

pytestmark = pytest.mark.servers


@pytest.fixture
def chain(redis_server: RedisServer, tmp_path: Path, catalog: Catalog) -> Chain:
    return Chain(redis_server.url, tmp_path, catalog)


def test_the_past_is_read_from_files_and_today_from_redis_without_a_seam(chain: Chain) -> None:
    chain.count(hours(7, 8, 9))
    chain.count({MIDNIGHT + 9 * 60 + 20: events(7), MIDNIGHT + 9 * 60 + 50: events(1)})
    chain.settle(MIDNIGHT + 9 * 60 + 40)
    passes(chain.archivist())
    archive, live = Archive(chain.directory / "archive"), ArchiveReader(chain.address, chain.prefix)
    history = History(archive, chain.catalog, live)
    panel = history.panel("region", "events", MIDNIGHT + 420, MIDNIGHT + 660)
    assert panel.keys == (("44",),)
    row = panel.values[0]
    expected = {hour * 60 + minute: 10 for hour in (7, 8, 9) for minute in range(0, 60, 15)} | {9 * 60 + 20: 7}
    assert {420 + i: n for i, n in enumerate(row.tolist()) if n > 0} == {
        m: n for m, n in expected.items() if m < 9 * 60 + 40
    }
    # Settled minutes are known, running ones are not, whatever was counted in them already.
    assert not np.isnan(row[: 2 * 60 + 40]).any()
    assert np.isnan(row[2 * 60 + 40 :]).all()
    (day,) = history.days(DAY, DAY)
    assert [mark.measured_minutes for mark in day.hours] == [60, 60, 40]
    # When the hour is over it comes from the file; nothing moves.
    chain.settle(MIDNIGHT + 10 * 60)
    passes(chain.archivist())
    again = history.panel("region", "events", MIDNIGHT + 420, MIDNIGHT + 660).values[0]
    assert np.array_equal(again[: 2 * 60 + 40], row[: 2 * 60 + 40])
    assert again[2 * 60 + 40 : 180].sum() == 11


def test_days_that_are_archived_whole_need_no_redis(chain: Chain) -> None:
    first, end = paris_day(DAY)
    chain.count({minute: events(1) for minute in range(first, end)})
    chain.settle(end)
    passes(chain.archivist())
    dead = ArchiveReader(RedisAddress("redis://127.0.0.1:1/0"), chain.prefix)
    history = History(Archive(chain.directory / "archive"), chain.catalog, dead)
    assert history.panel("national", "events", first, end, 1440).values.sum() == 1440
    past = history.day(DAY)
    assert past is not None
    assert past.measured_minutes == 1440
    with pytest.raises(ServerError, match="does not answer"):
        history.day(DAY + timedelta(days=1))


def test_users_and_establishments_of_a_day(chain: Chain, catalog: Catalog) -> None:
    seen = [f"visitor-{number}" for number in range(5000)]
    schools = [f"school-{number}" for number in range(700)]
    chain.count(
        hours(7),
        {MIDNIGHT + 7 * 60: {("sr", "44"): schools[:400]}, MIDNIGHT + 7 * 60 + 15: {("sr", "44"): schools}},
        {DAY.isoformat(): {("dl", "44"): seen, ("dp", "01"): ["v"]}},
    )
    chain.settle(MIDNIGHT + 8 * 60)
    archivist = chain.archivist()
    archivist.archive_pass()
    chain.observer().round()
    archivist._last_hour = 0
    passes(archivist)
    with file_of(Archive(chain.directory / "archive"), DAY) as file:
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
    raw: Any = reader._raw
    key = "{" + chain.prefix + "}:hll"
    kept: list[tuple[str, bytes]] = []
    for number in (0, 1, 5, 300, 3_000, 40_000, 400_000):
        for begin in range(0, number, 20_000):
            raw.pfadd(key + str(number), *(f"{number}-{i}" for i in range(begin, min(number, begin + 20_000))))
        if not number:
            raw.pfadd(key + "0")
        sketch = raw.get(key + str(number))
        assert hll.count(sketch) == raw.pfcount(key + str(number)), number
        kept.append((key + str(number), sketch))
    # What is counted outside of Redis (a backfill) makes the very sketch that Redis makes, whatever the lengths of the members.
    for name, members in (("a", [f"{i}" for i in range(3000)]), ("b", ["é" * (i % 40 + 1) for i in range(300)])):
        raw.pfadd(key + name, *members)
        registers = hll.no_registers()
        hll.add(registers, members)
        assert (hll.registers_of(raw.get(key + name)) == registers).all()
        raw.delete(key + name)
    union = hll.union(sketch for _name, sketch in kept)
    assert hll.count(union) == raw.pfcount(*(name for name, _sketch in kept))
    raw.set(key + "back", union)
    assert raw.pfcount(key + "back") == hll.count(union)
    raw.delete(key + "back", *(name for name, _sketch in kept))


@pytest.fixture(autouse=True)
def _no_leftovers(chain: Chain) -> Iterator[None]:
    yield
    chain.flush()
