"""Partitions that are counted in one pass: each as if it were alone, whatever else is in the pass, and whatever came before."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.catalog import Catalog
from streams.count import Batch, Counting, CountingRules, Delta, PartitionCounter, PartitionState
from streams.events import Reason
from tests.count.test_counter import T0, Log, batch, build, logs, merged, value
from tests.plain import BOUNDS, LATENESS_MS, PLAN, Plain


def rules_of(catalog: Catalog, entries_max: int | None = None, shared_from: int = 1) -> CountingRules:
    rules = CountingRules.of(catalog, BOUNDS, LATENESS_MS)
    plan = replace(rules.plan, shared_from=shared_from)
    if entries_max is not None:
        plan = replace(plan, ids_max=entries_max, visitors_max=entries_max)
    return replace(rules, plan=plan)


def told(delta: Delta) -> tuple[object, ...]:
    """All that a delta says; members of sketches in any order."""
    sketches = (delta.minute_sketches, delta.day_sketches)
    return (
        (delta.start, delta.first, delta.end, delta.append_ms, delta.watermark_ms, delta.records, delta.duplicates),
        delta.minutes,
        delta.without_minute,
        delta.unseen,
        [(reject.offset, reject.reason, reject.append_ms) for reject in delta.rejects],
        [{at: {key: Counter(names) for key, names in of.items()} for at, of in kind.items()} for kind in sketches],
    )


def passes(logs_left: list[list[Batch]], rnd: random.Random) -> list[list[tuple[int, list[Batch]]]]:
    """The batches of these partitions in passes: some partitions each, with some of their next batches."""
    left = [list(batches) for batches in logs_left]
    found = []
    while any(left):
        chosen = [number for number, batches in enumerate(left) if batches and rnd.random() < 0.7]
        one = []
        for number in chosen:
            size = rnd.randrange(1, 4)
            one.append((number, left[number][:size]))
            del left[number][:size]
        if one:
            found.append(one)
    return found


def counted(
    catalog: Catalog, rules: CountingRules, some: list[list[Batch]], rnd: random.Random
) -> tuple[list[list[Delta]], list[PartitionCounter]]:
    """The deltas of each partition, counted together; each compared with one that is counted alone."""
    counting = Counting(rules)
    together = [PartitionCounter(counting, None) for _ in some]
    alone = [PartitionCounter(Counting(rules), None) for _ in some]
    deltas: list[list[Delta]] = [[] for _ in some]
    for one in passes(some, rnd):
        found = counting.count([(together[number], batches) for number, batches in one])
        for (number, batches), delta in zip(one, found, strict=True):
            assert told(delta) == told(alone[number].count(batches)), number
            deltas[number].append(delta)
    for mine, other in zip(together, alone, strict=True):
        assert (mine.next_offset, mine.append_ms, mine.watermark_ms) == (
            other.next_offset,
            other.append_ms,
            other.watermark_ms,
        )
        assert mine.memory.sizes() == other.memory.sizes()
        assert mine.memory.window_ms(mine.append_ms) == other.memory.window_ms(other.append_ms)
        assert mine.memory.visit_window_ms(mine.append_ms) == other.memory.visit_window_ms(other.append_ms)
    return deltas, together


@given(st.lists(logs, min_size=1, max_size=4), st.randoms(use_true_random=False), st.sampled_from([None, 2, 5]))
def test_each_partition_counts_as_alone(
    catalog: Catalog, some: list[Log], rnd: random.Random, entries_max: int | None
) -> None:
    batches = [build(log) for log in some]
    deltas, _ = counted(catalog, rules_of(catalog, entries_max), batches, rnd)
    if entries_max is None:
        for number, of_one in enumerate(deltas):
            assert merged(of_one) == Plain().feed(catalog, batches[number])


@pytest.mark.parametrize("shared_from", [1, 5, 6])
def test_many_partitions_share_tables_and_few_do_not(catalog: Catalog, shared_from: int) -> None:
    for seed in range(20):
        rnd = random.Random(seed)
        some = [random_log(rnd, most=rnd.choice([1, 8])) for _ in range(5)]
        _, counters = counted(catalog, rules_of(catalog, shared_from=shared_from), some, rnd)
        tables = [id(each.table) for counter in counters for each in counter.memory.visitors]
        assert (len(set(tables)) < len(tables)) == (shared_from <= 5)


def random_log(rnd: random.Random, most: int) -> list[Batch]:
    """Batches over an hour, of the same few ids and visitors in every partition; some cannot be read, some step back in time."""
    found: list[Batch] = []
    offset, append_ms = 0, T0 + rnd.randrange(1_000_000)
    for _ in range(rnd.randrange(5, 25)):
        append_ms += rnd.choice([-300, 500, 40_000, 400_000])
        if rnd.random() < 0.1:
            offset += 3
            found.append(Batch(append_ms, (), (), (), offset, 3, Reason.CORRUPT))
        values: list[bytes | None] = [
            value(rnd.randrange(60), append_ms - rnd.choice([0, 5_000, 100_000]), service=rnd.choice(["NOTES", "new"]))
            if rnd.random() < 0.95
            else None
            for _ in range(rnd.randrange(1, most + 1))
        ]
        found.append(batch(offset, append_ms, values))
        offset += len(values)
    return found


def test_a_partition_that_begins_anew_finds_nothing_of_what_it_was(catalog: Catalog) -> None:
    """As after a refused call: another counter of the same partition, warmed by the log, beside others that went on."""
    for seed in range(40):
        rnd = random.Random(seed)
        counting = Counting(rules_of(catalog))
        log, other = random_log(rnd, 3), random_log(rnd, 3)
        cut = rnd.randrange(1, len(log))
        first, beside = PartitionCounter(counting, None), PartitionCounter(counting, None)
        counting.count([(first, log), (beside, other[:1])])
        begun = PartitionCounter(Counting(rules_of(catalog)), None)
        head = begun.count(log[:cut])
        state = PartitionState(head.end, head.append_ms, head.watermark_ms)
        again = PartitionCounter(counting, state)
        start_ms = PLAN.rewind_start_ms(state.append_ms)
        again.warm(log[next((at for at, b in enumerate(log[:cut]) if b.append_ms >= start_ms), cut) : cut])
        found, _ = counting.count([(again, log[cut:]), (beside, other[1:])])
        expected = begun.count(log[cut:])
        assert (found.minutes, found.without_minute, found.watermark_ms) == (
            expected.minutes,
            expected.without_minute,
            expected.watermark_ms,
        )


def test_shared_tables_end_with_those_who_look_into_them(catalog: Catalog) -> None:
    counting = Counting(rules_of(catalog))
    counters = [PartitionCounter(counting, None) for _ in range(3)]
    for number in range(200):
        at = T0 + number * 100_000
        counting.count([(counter, [batch(number, at, [value(number, at)])]) for counter in counters])
    assert len(counting.tables._ids) == 2
    assert len(counting.tables._visitors) == PLAN.visit_count
    ids, visitors = counters[0].memory.nbytes()
    table = counters[0].memory.ids[-1].table
    assert ids < sum(each.table.nbytes for each in counters[0].memory.ids) / 2
    assert visitors > 0
    del counters
    assert counting.tables._ids.get(T0 // PLAN.id_ms) is None
    assert table.nbytes > 0
