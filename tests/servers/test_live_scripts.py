"""The Lua scripts on a real Redis: the outcomes of a chunk, and that nothing is written in half."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import pytest
import redis

from streams.count import Cut, Delta, Field, PartitionState
from streams.errors import RedisUnavailable, StateError
from streams.live import Applied, HeartbeatLine, LiveKeeper, LiveWriter, Outcome
from streams.live.connection import RedisAddress
from streams.live.keys import LAYOUT

pytestmark = pytest.mark.servers
T = TypeVar("T")
EVENTS: Field = (Cut.EVENTS, "44", "NOTES")


class Live:
    """A fresh prefix on the test Redis, and both sides of the live room."""

    def __init__(self, url: str, prefix: str) -> None:
        self.address = RedisAddress(url)
        self.prefix = prefix
        self.reader = LiveKeeper(self.address, prefix)
        self.raw = redis.Redis.from_url(url, decode_responses=True)

    def write(self, use: Callable[[LiveWriter], Awaitable[T]]) -> T:
        async def run() -> T:
            writer = LiveWriter(self.address, self.prefix)
            try:
                return await use(writer)
            finally:
                await writer.close()

        return asyncio.run(run())

    def prepare(self, topic_id: str = "id-1", topic: str = "visits", catalog: str = "c1") -> str:
        return self.write(lambda writer: writer.prepare(catalog, topic, topic_id, 2))

    def apply(
        self, start: int | None, end: int, number: int = 1, partition: int = 0, minute: int = 100
    ) -> tuple[Outcome, str]:
        delta = Delta(start, start or 0, end, 5, 4, end - (start or 0), {minute: {EVENTS: number}})
        applied = self.write(lambda writer: writer.apply({partition: [delta]}))[partition]
        return applied.outcome, applied.stored

    def key(self, name: str) -> str:
        return "{" + self.prefix + "}:" + name

    def close(self) -> None:
        self.reader.close()
        self.raw.close()


@pytest.fixture
def live(redis_server, request):
    one = Live(redis_server.url, f"scripts.{abs(hash(request.node.name))}")
    one.prepare()
    yield one
    one.close()


def test_a_chunk_moves_offset_and_counts_together(live: Live) -> None:
    assert live.apply(None, 10, 3) == (Outcome.APPLIED, "10")
    assert live.apply(10, 15, 2, minute=101) == (Outcome.APPLIED, "15")
    snapshot = live.reader.snapshot()
    assert snapshot.offsets == {0: PartitionState(15, 5, 4)}
    assert snapshot.first_offsets == {0: 0}
    assert snapshot.totals == {EVENTS: 5}
    assert [(m.minute, m.counts) for m in live.reader.minutes()] == [(100, {EVENTS: 3}), (101, {EVENTS: 2})]
    assert live.write(lambda writer: writer.load([0, 1])) == {0: PartitionState(15, 5, 4), 1: None}


def test_a_retry_is_told_that_it_went_through(live: Live) -> None:
    live.apply(None, 10)
    assert live.apply(None, 10) == (Outcome.ALREADY, "10")
    assert live.reader.snapshot().totals == {EVENTS: 1}


def test_a_redis_that_forgot_our_scripts_is_given_them_again(live: Live) -> None:
    live.apply(None, 10)
    assert live.reader.settle(60_000) == 60_000
    live.raw.script_flush()
    assert live.apply(10, 15) == (Outcome.APPLIED, "15")
    assert live.reader.settle(120_000) == 120_000
    assert live.reader.snapshot().totals == {EVENTS: 2}


@pytest.mark.parametrize(("start", "end"), [(5, 12), (12, 20), (None, 7), (0, 5)])
def test_any_other_offset_is_refused(live: Live, start: int | None, end: int) -> None:
    live.apply(None, 10)
    assert live.apply(start, end) == (Outcome.MOVED, "10")
    assert live.reader.snapshot().totals == {EVENTS: 1}


def deltas_of(*chunks: tuple[int, int | None, int]) -> dict[int, list[Delta]]:
    """Chunks as (partition, start, end), an event each; those of one partition continue one another."""
    deltas: dict[int, list[Delta]] = {}
    for partition, start, end in chunks:
        delta = Delta(start, start or 0, end, 5 + end, 4 + end, 1, {100 + partition: {EVENTS: 1}})
        deltas.setdefault(partition, []).append(delta)
    return deltas


def test_one_call_moves_all_partitions_or_none(live: Live) -> None:
    def call(deltas: dict[int, list[Delta]]) -> dict[int, tuple[str, str]]:
        told = live.write(lambda writer: writer.apply(deltas))
        return {partition: (applied.outcome.value, applied.stored) for partition, applied in told.items()}

    first = deltas_of((0, None, 10), (0, 10, 12), (1, None, 7))
    assert call(first) == {0: ("applied", "12"), 1: ("applied", "7")}
    assert call(first) == {0: ("already", "12"), 1: ("already", "7")}
    assert live.reader.snapshot().totals == {EVENTS: 3}
    # The first fits, the second went through before, the third is nothing of what is stored, the fourth begins.
    mixed = deltas_of((0, 12, 15), (1, None, 7), (2, 4, 9), (3, None, 2))
    told = {0: ("held_back", "12"), 1: ("already", "7"), 2: ("moved", ""), 3: ("held_back", "")}
    assert call(mixed) == told
    assert live.reader.snapshot().offsets == {0: PartitionState(12, 17, 16), 1: PartitionState(7, 12, 11)}
    assert live.reader.snapshot().totals == {EVENTS: 3}
    assert call({partition: mixed[partition] for partition in (0, 3)}) == {0: ("applied", "15"), 3: ("applied", "2")}
    snapshot = live.reader.snapshot()
    assert snapshot.offsets[0] == PartitionState(15, 20, 19)
    assert snapshot.first_offsets == {0: 0, 1: 0, 3: 0}
    assert snapshot.totals == {EVENTS: 5}
    assert [(m.minute, m.counts[EVENTS]) for m in live.reader.minutes()] == [(100, 3), (101, 1), (103, 1)]
    assert snapshot.mark is None


def test_redis_emptied_in_mid_flow_asks_to_prepare_again(live: Live) -> None:
    live.apply(None, 10)
    for key in live.raw.scan_iter(live.key("*")):
        live.raw.delete(key)
    assert live.apply(10, 20)[0] is Outcome.LAYOUT
    live.prepare()
    assert live.apply(10, 20) == (Outcome.MOVED, "")
    assert live.apply(None, 20)[0] is Outcome.APPLIED


def test_an_error_in_the_middle_leaves_a_mark_that_stops_everybody(live: Live) -> None:
    live.apply(None, 10)
    live.raw.set(live.key("minute:100"), "not a hash")  # raises once the mark is set
    with pytest.raises(RedisUnavailable, match="WRONGTYPE"):
        live.apply(10, 20)
    assert live.apply(10, 20)[0] is Outcome.MARKED
    with pytest.raises(StateError, match="written only in part"):
        live.prepare()
    assert live.reader.snapshot().mark == "0 10 20"
    assert live.reader.snapshot().offsets[0].next_offset == 10


def test_counts_are_exact_where_a_double_is_not(live: Live) -> None:
    live.apply(None, 10)
    live.raw.hset(live.key("totals"), "e:44:NOTES", str(2**60 + 1))
    live.raw.hset(live.key("minute:100"), "e:44:NOTES", str(10**15 - 1))
    assert live.apply(10, 20, 2)[0] is Outcome.APPLIED
    assert live.reader.snapshot().totals == {EVENTS: 2**60 + 3}
    assert live.apply(20, 30, 1)[0] is Outcome.APPLIED
    assert live.raw.hget(live.key("minute:100"), "e:44:NOTES") == str(10**15 + 2)


@pytest.mark.parametrize("foreign", ["many", "1.5", "1e3", " 7", "0x10", "inf", ""])
def test_a_count_that_is_no_number_is_never_added_to(live: Live, foreign: str) -> None:
    live.apply(None, 10)
    live.raw.hset(live.key("minute:100"), "e:44:NOTES", foreign)
    with pytest.raises(RedisUnavailable, match="not an integer"):
        live.apply(10, 20)
    assert live.raw.hget(live.key("minute:100"), "e:44:NOTES") == foreign
    assert live.apply(10, 20)[0] is Outcome.MARKED


def applied(delta: Delta, writer: LiveWriter) -> Awaitable[dict[int, Applied]]:
    return writer.apply({0: [delta]})


def test_one_call_takes_more_fields_than_fit_on_the_stack_of_lua(live: Live) -> None:
    fields: dict[Field, int] = {(Cut.EVENTS, "44", f"S{number}"): number for number in range(1, 9_001)}
    for start, end in ((None, 10), (10, 20)):
        delta = Delta(start, start or 0, end, 5, 4, 10, {100: fields, 101: {EVENTS: 1}})
        assert live.write(partial(applied, delta))[0].outcome is Outcome.APPLIED
    doubled = {field: 2 * number for field, number in fields.items()}
    assert live.reader.snapshot().totals == {**doubled, EVENTS: 2}
    assert [minute.counts for minute in live.reader.minutes()] == [doubled, {EVENTS: 2}]


def test_another_layout_topic_or_topic_id_is_refused_and_another_catalog_shown(live: Live) -> None:
    assert live.prepare(catalog="c2") == "c1"
    with pytest.raises(StateError, match="created anew"):
        live.prepare(topic_id="id-2")
    with pytest.raises(StateError, match="counts of topic 'visits'"):
        live.prepare(topic="other")
    live.raw.hset(live.key("meta"), "layout", "0")
    with pytest.raises(StateError, match=f"layout 0, this version writes layout {LAYOUT}"):
        live.prepare()
    assert live.apply(None, 10)[0] is Outcome.LAYOUT


def test_a_full_redis_refuses_before_it_writes(live: Live) -> None:
    live.apply(None, 10)
    before = live.raw.config_get("maxmemory")["maxmemory"]
    assert before is not None
    live.raw.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(RedisUnavailable, match="maxmemory"):
            live.apply(10, 20)
    finally:
        live.raw.config_set("maxmemory", before)
    assert live.reader.snapshot().mark is None
    assert live.apply(10, 20) == (Outcome.APPLIED, "20")


def beat(live: Live, position: int, log_end: int | None) -> None:
    line = HeartbeatLine(0, position, log_end, 0.5)
    live.write(lambda writer: writer.heartbeat("w:1", 42, 8001, [line]))


def test_idle_needs_the_end_of_the_log_and_the_stored_offset(live: Live) -> None:
    live.apply(None, 10)
    beat(live, 10, 12)
    assert live.reader.snapshot().heartbeats[0].idle_since_ms is None
    beat(live, 10, 10)
    first = live.reader.snapshot().heartbeats[0]
    assert first.idle_since_ms is not None
    assert (first.worker, first.pid, first.port, first.position, first.log_end, first.lag_seconds) == (
        "w:1",
        42,
        8001,
        10,
        10,
        0.5,
    )
    beat(live, 10, 10)
    assert live.reader.snapshot().heartbeats[0].idle_since_ms == first.idle_since_ms
    # Another worker got ahead: this one's position is not where Redis stands, its word does not count.
    live.apply(10, 11)
    beat(live, 10, 10)
    assert live.reader.snapshot().heartbeats[0].idle_since_ms is None


def test_a_heartbeat_without_kafkas_word_confirms_nothing_new(live: Live) -> None:
    beat(live, 0, 0)
    confirmed = live.reader.snapshot().heartbeats[0].confirmed_ms
    beat(live, 0, None)
    after = live.reader.snapshot().heartbeats[0]
    assert after.confirmed_ms == confirmed
    assert after.idle_since_ms is None


def test_settled_time_never_goes_back_and_notes_each_minute_once(live: Live) -> None:
    live.apply(None, 10, minute=100)
    assert live.reader.settle(103 * 60_000 + 5) == 103 * 60_000 + 5
    assert live.reader.settle(102 * 60_000) == 103 * 60_000 + 5
    assert [minute for minute, _at in live.reader.settled_since(0)] == [100, 101, 102]
    assert live.reader.settle(105 * 60_000) == 105 * 60_000
    assert [minute for minute, _at in live.reader.settled_since(0)] == [100, 101, 102, 103, 104]
    assert live.reader.settled_since(live.reader.snapshot().now_ms + 60_000) == []


def test_trimming_is_bounded_and_repeatable(live: Live) -> None:
    end = None
    for minute in range(100, 110):
        start, end = end, (end or 0) + 1
        live.apply(start, end, minute=minute)
    assert live.reader.trim(105, most=3) == 3
    assert live.reader.trim(105, most=3) == 2
    assert live.reader.trim(105) == 0
    assert [m.minute for m in live.reader.minutes()] == [105, 106, 107, 108, 109]
    assert live.reader.snapshot().totals == {EVENTS: 10}
