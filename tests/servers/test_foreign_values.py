"""What Vigie cannot have written into Redis: named, never counted, and it stops no chunk, no thread and no archive."""

from pathlib import Path

import pytest

from streams.catalog import Catalog
from streams.count import Delta
from streams.errors import StateError
from streams.history import hll
from streams.history.archive import Archive
from streams.live import HeartbeatLine, Outcome
from tests.history.days_made import file_of
from tests.servers.archive_chain import DAY, KEPT_HOURS, MIDNIGHT, Chain, hours
from tests.servers.conftest import RedisServer
from tests.servers.test_live_scripts import EVENTS, Live, live

pytestmark = pytest.mark.servers
__all__ = ["live"]


@pytest.mark.parametrize(
    ("key", "entry", "value"),
    [
        ("offsets", "0", "10 x 5 4"),
        ("offsets", "0", "half a"),
        ("offsets", "0", ""),
        ("meta", "settled_ms", "yesterday"),
    ],
)
def test_a_chunk_on_what_nobody_can_read_writes_nothing(live: Live, key: str, entry: str, value: str) -> None:
    live.apply(None, 10, 3)
    before = live.raw.hget(live.key(key), entry)
    live.raw.hset(live.key(key), entry, value)
    totals = live.raw.hgetall(live.key("totals"))
    if key == "offsets":
        assert live.apply(10, 15)[0] == Outcome.MOVED
        with pytest.raises(StateError, match="offsets 0 in Redis holds"):
            live.write(lambda writer: writer.load([0]))
    else:
        with pytest.raises(StateError, match=r"FOREIGN .*settled_ms"):
            live.apply(10, 15)
    assert live.raw.hgetall(live.key("totals")) == totals
    assert live.raw.hget(live.key("meta"), "applying") is None
    if before is None:
        live.raw.hdel(live.key(key), entry)
    else:
        live.raw.hset(live.key(key), entry, before)
    assert live.apply(10, 15) == (Outcome.APPLIED, "15")


@pytest.mark.parametrize("value", ["", "no JSON", "5", "null", '"text"', "[]", '{"confirmed_ms":"now"}'])
def test_a_heartbeat_that_nobody_can_read_is_replaced_by_the_next_one(live: Live, value: str) -> None:
    live.apply(None, 10)
    live.raw.hset(live.key("heartbeats"), "0", value)
    with pytest.raises(StateError, match="heartbeats 0 in Redis holds"):
        live.reader.snapshot()
    assert live.write(lambda writer: writer.heartbeat("w", 1, 2, [HeartbeatLine(0, 10, 10, 0.0)])) == {0: 10}
    assert live.reader.snapshot().heartbeats[0].position == 10


@pytest.mark.parametrize("foreign", [b"", b"HYLL", b"no sketch", b"\xff\xfe"])
def test_a_sketch_that_is_none_is_begun_anew_and_told_and_stops_no_chunk(live: Live, foreign: bytes) -> None:
    sketch = ("ua", "44", "12")
    key = live.key("sketch:100:ua:44:12")
    live.raw.set(key, foreign)
    delta = Delta(None, 0, 10, 5, 4, 10, {100: {EVENTS: 1}}, minute_sketches={100: {sketch: ["one"]}})
    assert live.write(lambda writer: writer.apply({0: [delta]}))[0].outcome == Outcome.APPLIED
    assert live.raw.pfcount(key) == 1
    assert live.reader.snapshot().sketches_replaced == 1
    assert live.raw.hget(live.key("meta"), "applying") is None


def test_minutes_that_waited_are_counted_as_missed_before_any_is_removed(live: Live) -> None:
    live.apply(None, 10, 3, minute=100)
    live.apply(10, 20, 4, minute=101)
    live.raw.hset(live.key("minute:101"), "e:44:NOTES", "many")
    with pytest.raises(StateError, match="minute:101 e:44:NOTES"):
        live.reader.trim(200, waited=True)
    assert live.reader.held() == [100, 101]
    live.raw.hset(live.key("minute:101"), "e:44:NOTES", "4")
    assert live.reader.trim(200, waited=True) == 2
    assert live.raw.hget(live.key("meta"), "missed_events") == "7"


def test_an_archive_that_nobody_can_read_holds_back_trimming_and_nothing_else(
    redis_server: RedisServer, tmp_path: Path, catalog: Catalog
) -> None:
    chain = Chain(redis_server.url, tmp_path, catalog)
    chain.count(hours(7, 8))
    chain.settle(MIDNIGHT + (9 + KEPT_HOURS) * 60)
    archivist, observer = chain.archivist(), chain.observer()
    key = "{" + chain.prefix + "}:archives"
    redis = chain.reader()._redis
    for foreign in ('{"minute":1}', '{"minute":1,"date":20260901,"at_ms":-1}', "", "null", "5", '{"minute":1,"da'):
        redis.hset(key, "stranger", foreign)
        archivist.loop.round()
        assert f"{key} stranger in Redis holds" in (archivist.figures.problem or "")
        assert archivist.loop.defect() is None
        assert len(chain.archived()) == 8
        observer.loop.round()
        assert f"{key} stranger" in (observer.loop.problem() or "")
        assert observer.loop.defect() is None
        assert len(chain.reader().held()) == 8
    redis.hdel(key, "stranger")
    for _pass in range(4):
        archivist.loop.round()
    observer.loop.round()
    assert (archivist.figures.problem, observer.loop.problem()) == (None, None)
    assert chain.reader().held() == []
    assert archivist.figures.missed_events == 0


def test_a_half_written_sketch_keeps_no_count_from_the_archive(
    redis_server: RedisServer, tmp_path: Path, catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    chain = Chain(redis_server.url, tmp_path, catalog)
    chain.count(hours(7), day_sketches={DAY.isoformat(): {("dl", "44"): ["a"], ("dl", "84"): ["b", "c"]}})
    chain.reader()._redis.set("{" + chain.prefix + f"}}:day:{DAY}:dl:44", b"HYLL\x01" + bytes(11) + b"\x7f")
    chain.settle(MIDNIGHT + 8 * 60)
    archivist = chain.archivist()
    archivist.loop.round()
    assert archivist.figures.problem is None
    assert len(chain.archived()) == 4
    assert f"day:{DAY}:dl:44 of Redis is not archived" in caplog.text
    with file_of(Archive(chain.directory / "archive"), DAY) as file:
        assert {key: hll.count(sketch) for key, sketch in file.sketches().users.items()} == {("region", "84"): 2}
