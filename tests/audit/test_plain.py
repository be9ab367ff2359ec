"""The plain count and the counters of the chain, written twice from the same sentences, agree; and a few cases counted by hand."""

import itertools

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.audit import plain as plain_module
from streams.audit.plain import PlainCount, Row
from streams.audit.recount import ASPECTS
from streams.catalog import Catalog, control_letter
from streams.count import Batch, Counting, CountingRules, PartitionCounter
from streams.events import EventBounds
from tests.plain import sums

LATENESS_MS = 20_000
BOUNDS = EventBounds()
T0 = 1_788_242_400_000  # the start of a minute
UAI = "0541234Y"
_numbers = itertools.count(1000)


def value(ts: int, event_id: int | None = None, **members: object) -> bytes:
    name = str(next(_numbers) if event_id is None else event_id)
    return orjson.dumps({"v": 1, "id": name, "ts": ts, "visitor": "v", "uai": UAI, "service": "NOTES", **members})


def plain_count(catalog: Catalog) -> PlainCount:
    return PlainCount(catalog, BOUNDS, LATENESS_MS)


def test_by_hand(catalog: Catalog) -> None:
    plain = plain_count(catalog)
    plain.add(0, T0 + 30_000, value(T0 + 30_000, project="mbn", profile="ELEVE"))
    plain.add(0, T0 + 30_000, value(T0 + 5_000))  # below the watermark, T0 + 10 s
    plain.add(1, T0 + 30_000, value(T0 + 5_000))  # another partition has its own
    plain.add(0, T0 + 10_000, value(T0 + 150_001))  # the clock stays at T0 + 30 s: more than two minutes ahead
    plain.add(0, T0 + 30_000, b"nope")
    plain.add(0, T0 + 30_000, None)
    assert plain.records == 6
    assert plain.apart == {
        ("rejected", "too_far_ahead"): 1,
        ("rejected", "not_json"): 1,
        ("rejected", "empty"): 1,
    }
    rows = plain.minutes.pop(T0 // 60_000)
    assert not plain.minutes
    assert rows[("region,service", "44", "NOTES")] == 3
    assert rows[("project", "mbn")] == 1
    assert rows[("project", "INCONNU")] == 2
    assert rows[("profile,region", "ELEVE", "44")] == 1
    assert rows[("late", "44")] == 1
    academies = {row: number for row, number in rows.items() if row[0] == "academy"}
    assert list(academies.values()) == [3]


def test_totals_are_the_minutes_and_the_rejected(catalog: Catalog) -> None:
    plain = plain_count(catalog)
    for minute in range(3):
        plain.add(0, T0 + minute * 60_000, value(T0 + minute * 60_000))
    plain.add(0, T0, b"[]")
    totals = plain.totals()
    assert totals[("region,service", "44", "NOTES")] == 3
    assert totals[("rejected", "not_object")] == 1


def test_both_remember_ids_for_as_long(catalog: Catalog) -> None:
    assert CountingRules.of(catalog, BOUNDS, LATENESS_MS).plan.id_ms == plain_module.IDS_STRETCH_MS


def test_repeats_within_two_stretches_of_append_time(catalog: Catalog) -> None:
    stretch = plain_module.IDS_STRETCH_MS
    start = T0 // stretch * stretch
    plain = plain_count(catalog)
    for append_ms, partition in ((start, 0), (start + 1, 0), (start + 1, 1), (start + 2 * stretch - 1, 0)):
        plain.add(partition, append_ms, value(append_ms, 7))
    assert plain.apart == {("duplicate",): 2}  # another partition is another memory
    # The repeat just before was remembered, too; after a whole stretch without it, it is forgotten.
    plain.add(0, start + 3 * stretch - 1, value(start + 3 * stretch - 1, 7))
    assert plain.apart == {("duplicate",): 3}
    plain.add(0, start + 4 * stretch, value(start + 4 * stretch, 7))
    assert plain.apart == {("duplicate",): 3}


uais = st.sampled_from(
    [UAI, f"0750001{control_letter('0750001')}", f"9740001{control_letter('9740001')}", "0541234A", None]
)
events = st.builds(
    value,
    st.integers(T0 - 3 * 60_000, T0 + 4 * 60_000) | st.sampled_from([T0 - 49 * 3_600_000, 0]),
    st.integers(0, 12),
    uai=uais,
    service=st.sampled_from(["NOTES", "PAGE_ENT", "nope", None]),
    project=st.sampled_from(["mbn", "nope", None]),
    profile=st.sampled_from(["ELEVE", "nope", None]),
)
batches = st.tuples(
    st.integers(T0 - 60_000, T0 + 60_000),
    st.lists(events | st.sampled_from([b"", b"{}", b"[]", None]), min_size=1, max_size=6),
)


@settings(max_examples=60)
@given(st.lists(st.lists(batches, min_size=1, max_size=5), min_size=1, max_size=3))
def test_agrees_with_the_chain(catalog: Catalog, partitions: list[list[tuple[int, list[bytes | None]]]]) -> None:
    plain = plain_count(catalog)
    minutes: dict[int, dict[Row, int]] = {}
    totals: dict[Row, int] = {}
    for number, log in enumerate(partitions):
        counter = PartitionCounter(Counting(CountingRules.of(catalog, BOUNDS, LATENESS_MS)), None)
        offset = 0
        for append_ms, values in log:
            end = offset + len(values)
            delta = counter.count([Batch(append_ms, values, [None] * len(values), range(offset, end), end)])
            offset = end
            for record in values:
                plain.add(number, append_ms, record)
            for minute, fields in delta.minutes.items():
                _merge(minutes.setdefault(minute, {}), fields)
            _merge(totals, sums(delta))
    assert plain.minutes == minutes
    assert plain.totals() == totals


def _merge(into: dict[Row, int], fields: dict[tuple[str, ...], int]) -> None:
    for field, number in fields.items():
        if field[0] not in ASPECTS:  # visits: `recount --visits`
            continue
        row = (ASPECTS[field[0]], *field[1:])
        into[row] = into.get(row, 0) + number
