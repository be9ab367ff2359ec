"""Counting against a plain dictionary, under any chunking."""

from collections import Counter
from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.catalog import UNKNOWN, Catalog, control_letter
from streams.count import Batch, Counting, CountingRules, Cut, Delta, PartitionCounter, PartitionState, between
from streams.events import EventBounds, Reason, Validated, validate_together
from tests.plain import BOUNDS, LATENESS_MS, PLAN, Plain, sums

T0 = 1_788_242_400_000
UAIS = [f"{digits}{control_letter(digits)}" for digits in ("0541234", "0750001", "9740001", "9750001")] + [
    "0541234A",
    None,
]


def value(number: int, ts: int, uai: str | None = UAIS[0], **members: object) -> bytes:
    return orjson.dumps({"v": 1, "id": f"e{number}", "ts": ts, "visitor": f"v{number % 7}", "uai": uai, **members})


def batch(first: int, append_ms: int, values: list[bytes | None]) -> Batch:
    return Batch(append_ms, values, [None] * len(values), range(first, first + len(values)), first + len(values))


def counter(catalog: Catalog, state: PartitionState | None = None) -> PartitionCounter:
    return PartitionCounter(Counting(CountingRules.of(catalog, BOUNDS, LATENESS_MS)), state)


def merged(deltas: list[Delta]) -> tuple[Counter[tuple[int, tuple[str, ...]]], Counter[tuple[str, ...]]]:
    minutes: Counter[tuple[int, tuple[str, ...]]] = Counter()
    totals: Counter[tuple[str, ...]] = Counter()
    for delta in deltas:
        totals.update(sums(delta))
        for minute, fields in delta.minutes.items():
            minutes.update({(minute, field): number for field, number in fields.items()})
    return minutes, totals


def restarted(catalog: Catalog, state: PartitionState | None, before: list[Batch]) -> PartitionCounter:
    """A counter as a new worker has it: from what Redis holds, warmed by the tail of the log."""
    one = counter(catalog, state)
    if state is not None:
        start_ms = PLAN.rewind_start_ms(state.append_ms)
        first = next((i for i, b in enumerate(before) if b.append_ms >= start_ms), len(before))
        one.warm(before[first:])
    return one


events = st.builds(
    value,
    st.integers(0, 1000),
    st.integers(-50 * 3_600_000, 200_000).map(lambda d: T0 + d) | st.integers(-90_000, 0).map(lambda d: T0 + d),
    uai=st.sampled_from(UAIS),
    service=st.sampled_from(["NOTES", "CAHIER_TEXTES", "AUTRE", "nope", "", None]),
    project=st.sampled_from(["mbn", "toutatice", "nope", None]),
    profile=st.sampled_from(["ELEVE", "PARENT", "nope", None]),
)
records = st.one_of(events, events, events, st.sampled_from([None, b"", b"x", b"{}", b"[]"]))
Log = list[tuple[list[bytes | None], int]]
logs = st.lists(
    st.tuples(st.lists(records, min_size=1, max_size=6), st.integers(-3_000, 30_000) | st.integers(0, 900_000)),
    min_size=1,
    max_size=8,
)


def build(log: Log) -> list[Batch]:
    batches = []
    offset, append_ms = 0, T0
    for values, step in log:
        append_ms += step  # sometimes back: a leader whose clock is behind
        batches.append(batch(offset, append_ms, values))
        offset += len(values)
    return batches


@given(logs, st.data())
def test_any_chunking_counts_as_a_plain_dictionary_does(catalog: Catalog, log: Log, data: st.DataObject) -> None:
    batches = build(log)
    plain = Plain()
    minutes, totals = plain.feed(catalog, batches)
    deltas, state, at = [], None, 0
    while at < len(batches):
        size = data.draw(st.integers(1, 4))
        # A new counter each time, from what Redis would hold: a restart changes nothing.
        one = restarted(catalog, state, batches[:at])
        delta = one.count(batches[at : at + size])
        assert delta.start == (state.next_offset if state else None)
        state = PartitionState(delta.end, delta.append_ms, delta.watermark_ms)
        deltas.append(delta)
        at += size
    assert merged(deltas) == (minutes, totals)
    assert state == PartitionState(batches[-1].end, plain.append_ms, plain.watermark_ms)


@given(logs, st.data())
def test_reading_again_from_any_offset_changes_nothing(catalog: Catalog, log: Log, data: st.DataObject) -> None:
    batches = build(log)
    end = batches[-1].end
    at = data.draw(st.integers(1, end))
    head = [b for b in batches if b.end <= at]
    first = counter(catalog)
    deltas = [first.count(head)] if head else []
    state = PartitionState(deltas[0].end, deltas[0].append_ms, deltas[0].watermark_ms) if deltas else None
    rest = between(batches, state.next_offset if state else 0)
    if rest:
        deltas.append(restarted(catalog, state, head).count(rest))
    assert merged(deltas) == merged([counter(catalog).count(batches)])


@given(logs)
def test_parts_sum_to_the_total_and_the_watermark_never_goes_back(catalog: Catalog, log: Log) -> None:
    one = counter(catalog)
    watermark = 0
    for item in build(log):
        delta = one.count([item])
        assert delta.watermark_ms >= watermark
        watermark = delta.watermark_ms
        by_cut: Counter[str] = Counter()
        for key, number in sums(delta).items():
            by_cut[key[0]] += number
        assert by_cut[Cut.EVENTS] == by_cut[Cut.PROJECT] == by_cut[Cut.PROFILE] == by_cut[Cut.ACADEMY]
        assert by_cut[Cut.EVENTS] + by_cut[Cut.REJECTED] + by_cut[Cut.DUPLICATE] == len(item.values) == delta.records
        assert by_cut[Cut.VISITS] == by_cut[Cut.VISIT_PROJECT] == by_cut[Cut.VISIT_PROFILE] == by_cut[Cut.VISIT_ACADEMY]
        assert by_cut[Cut.VISITS] <= by_cut[Cut.SERVICE_VISITS] <= by_cut[Cut.EVENTS]
        assert by_cut[Cut.REJECTED] == len(delta.rejects)


def test_each_batch_is_judged_by_its_own_append_time(catalog: Catalog) -> None:
    ahead = value(1, T0 + BOUNDS.ahead_ms_max + 10_000)
    delta = counter(catalog).count([batch(0, T0, [ahead]), batch(1, T0 + 60_000, [ahead])])
    assert sums(delta)[(Cut.REJECTED, Reason.TOO_FAR_AHEAD)] == 1
    assert sums(delta)[(Cut.EVENTS, "44", UNKNOWN)] == 1
    assert [reject.offset for reject in delta.rejects] == [0]


def test_small_batches_of_a_quiet_hour_are_validated_together(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[bool] = []

    def noted(values: Sequence[bytes | None], first_ms: int, last_ms: int, bounds: EventBounds) -> Validated | None:
        verdicts = validate_together(values, first_ms, last_ms, bounds)
        found.append(verdicts is not None)
        return verdicts

    monkeypatch.setattr("streams.count.counter.validate_together", noted)
    delta = counter(catalog).count([batch(i, T0 + 1000 * i, [value(i, T0 + 1000 * i)]) for i in range(3600)])
    assert delta.records == sums(delta)[(Cut.EVENTS, "44", UNKNOWN)] == 3600
    assert all(found)
    assert len(found) < 100


def test_an_event_ahead_does_not_make_the_others_late(catalog: Catalog) -> None:
    delta = counter(catalog).count([batch(0, T0, [value(1, T0 + 119_000), value(2, T0)])])
    assert (Cut.LATE, "44") not in sums(delta)
    assert delta.watermark_ms == T0 - LATENESS_MS


def test_late_is_below_the_watermark_of_the_events_before(catalog: Catalog) -> None:
    values: list[bytes | None] = [value(1, T0), value(2, T0 - LATENESS_MS), value(3, T0 - LATENESS_MS - 1)]
    delta = counter(catalog).count([batch(0, T0, values)])
    assert sums(delta)[(Cut.LATE, "44")] == 1
    assert sums(delta)[(Cut.EVENTS, "44", UNKNOWN)] == 3


def test_rejects_carry_offset_key_and_bytes(catalog: Catalog) -> None:
    sparse = Batch(T0, [value(1, T0), b"bad"], [b"k1", b"k2"], [10, 14], 20)
    delta = counter(catalog, PartitionState(8, T0, 0)).count([sparse])
    (reject,) = delta.rejects
    assert (reject.offset, reject.key, reject.value, reject.reason) == (14, b"k2", b"bad", Reason.NOT_JSON)
    assert (delta.start, delta.first, delta.end) == (8, 10, 20)


def test_a_batch_without_events_moves_the_offset(catalog: Catalog) -> None:
    delta = counter(catalog, PartitionState(5, T0, 0)).count([Batch(T0, (), (), (), 9)])
    assert (delta.start, delta.end, sums(delta)) == (5, 9, {})


def test_between() -> None:
    whole = [Batch(T0, [b"a", b"b", b"c"], [None] * 3, [0, 2, 5], 6), Batch(T0, [b"d"], [None], [6], 7)]
    assert between(whole, 0) == whole
    assert [b.values for b in between(whole, 2)] == [[b"b", b"c"], [b"d"]]
    assert [b.values for b in between(whole, 3)] == [[b"c"], [b"d"]]
    assert [b.values for b in between(whole, 6)] == [[b"d"]]
    assert between(whole, 7) == []
