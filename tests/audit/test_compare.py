"""What is compared, and what differs."""

from collections import Counter

import pytest

from streams.audit.plain import PlainCount
from streams.audit.recount import Comparable, Difference, LogPart, compare, scope
from streams.catalog import Catalog
from streams.count import PartitionState
from streams.events import EventBounds
from streams.live import MinuteCounts, Snapshot

T0 = 1_788_242_400_000
MINUTE = T0 // 60_000
AHEAD_MS = 120_000
EVERYTHING = Comparable(None, True)


def snapshot(settled_ms: int | None = None, totals: dict[tuple[str, ...], int] | None = None) -> Snapshot:
    return Snapshot(
        now_ms=T0,
        layout="1",
        catalog="c",
        topic_id="t",
        mark=None,
        partitions=2,
        settled_ms=settled_ms,
        offsets={0: PartitionState(5, T0, T0), 1: PartitionState(5, T0 + 7, T0)},
        first_offsets={0: 0, 1: 0},
        heartbeats={},
        totals=totals or {},
    )


@pytest.fixture
def plain(catalog: Catalog) -> PlainCount:
    count = PlainCount(catalog, EventBounds(), 20_000)
    count.minutes = {
        MINUTE: Counter({("project", "mbn"): 3, ("late", "44"): 1}),
        MINUTE + 1: Counter({("project", "mbn"): 2}),
    }
    count.apart = Counter({("rejected", "not_json"): 4})
    return count


TOTALS = {("p", "mbn"): 5, ("l", "44"): 1, ("r", "not_json"): 4, ("k", "not_json"): 9, ("x",): 3}
HELD = [
    MinuteCounts(MINUTE, {("p", "mbn"): 3, ("l", "44"): 1}),
    MinuteCounts(MINUTE + 1, {("p", "mbn"): 2}),
]


def test_agreement(plain: PlainCount) -> None:
    found = compare(plain, snapshot(totals=TOTALS), HELD, EVERYTHING)
    assert (found.minutes, found.rows, found.differences) == (2, 6, ())


def test_every_kind_of_difference(plain: PlainCount) -> None:
    held = [
        MinuteCounts(MINUTE, {("p", "mbn"): 4}),  # one too many, and no late one
        MinuteCounts(MINUTE + 2, {("e", "44", "NOTES"): 1}),  # a minute of which the log knows nothing; one is missing
    ]
    found = compare(plain, snapshot(totals={**TOTALS, ("r", "not_json"): 5}), held, EVERYTHING)
    assert found.differences == (
        Difference(MINUTE, ("late", "44"), 0, 1),
        Difference(MINUTE, ("project", "mbn"), 4, 3),
        Difference(MINUTE + 1, ("project", "mbn"), 0, 2),
        Difference(MINUTE + 2, ("region,service", "44", "NOTES"), 1, 0),
        Difference(None, ("rejected", "not_json"), 5, 4),
    )
    assert found.minutes == 3


def test_out_of_scope_is_not_compared(plain: PlainCount) -> None:
    found = compare(plain, snapshot(), [], Comparable(MINUTE + 1, False))
    assert [one.minute for one in found.differences] == [MINUTE + 1]


def test_a_log_from_its_beginning_is_compared_whole() -> None:
    assert scope({0: LogPart(0, T0), 1: LogPart(0, None)}, snapshot(), AHEAD_MS, 72) == EVERYTHING


def test_a_shortened_log_is_compared_from_where_it_is_whole() -> None:
    parts = {0: LogPart(0, T0 - 10**6), 1: LogPart(4, T0 + 1)}
    found = scope(parts, snapshot(), AHEAD_MS, 72)
    assert (found.first_minute, found.totals) == (MINUTE + 3, False)
    assert "1 of 2" in found.notes[0]
    exactly = scope({1: LogPart(4, T0)}, snapshot(), AHEAD_MS, 72)
    assert exactly.first_minute == MINUTE + 2


def test_an_emptied_partition_is_bounded_by_what_redis_counted() -> None:
    found = scope({1: LogPart(5, None)}, snapshot(), AHEAD_MS, 72)
    assert found.first_minute == MINUTE + 3


def test_trimmed_minutes_are_not_compared() -> None:
    found = scope({0: LogPart(0, T0)}, snapshot(settled_ms=T0 + 72 * 3_600_000 + 59_999), AHEAD_MS, 72)
    assert (found.first_minute, found.totals) == (MINUTE, True)
