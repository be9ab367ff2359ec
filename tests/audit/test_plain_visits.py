"""The plain visits and the counters', written twice from the same sentences, agree; and cases counted by hand."""

import random
from collections import Counter

import orjson

from streams.audit.plain import STRETCHES, PlainCount, PlainVisits, stretch_ms
from streams.audit.recount import ASPECTS, VISIT_ASPECTS
from streams.catalog import Catalog, control_letter
from streams.count import Batch, Counting, CountingRules, PartitionCounter
from streams.events import EventBounds
from tests.plain import sums

BOUNDS = EventBounds()
LATENESS_MS = 20_000
MINUTE_MS = 60_000
T0 = 1_788_242_400_000
UAIS = [f"{digits}{control_letter(digits)}" for digits in ("0541234", "0750001", "9740001")]


def log_of(seed: int, batches: int) -> list[Batch]:
    rnd = random.Random(seed)
    found, recent, at, offset = [], [b""], T0, 0
    for _ in range(batches):
        at += rnd.randrange(0, 3 * MINUTE_MS)
        values = []
        for _ in range(rnd.randrange(1, 25)):
            if rnd.random() < 0.06:
                values.append(rnd.choice(recent[-200:]))
                continue
            late_ms = rnd.randrange(0, 90 * MINUTE_MS) if rnd.random() < 0.04 else rnd.randrange(-100_000, 30_000)
            event = {
                "v": 1,
                "id": f"{rnd.getrandbits(60):x}",
                "ts": at - late_ms,
                "visitor": f"v{rnd.randrange(60)}",
                "uai": rnd.choice(UAIS),
                "service": rnd.choice(["NOTES", "ABSENCES", "nope"]),
                "profile": rnd.choice(["ELEVE", None]),
            }
            values.append(orjson.dumps(event))
        recent += values
        found.append(Batch(at, values, [None] * len(values), range(offset, offset + len(values)), offset + len(values)))
        offset += len(values)
    return found


def test_both_counts_agree_over_hours(catalog: Catalog) -> None:
    excess = visits = 0
    for seed in range(6):
        log = log_of(seed, 200)
        delta = PartitionCounter(Counting(CountingRules.of(catalog, BOUNDS, LATENESS_MS)), None).count(log)
        plain = PlainCount(catalog, BOUNDS, LATENESS_MS, visits=True)
        for batch in log:
            for value in batch.values:
                plain.add(0, batch.append_ms, value)
        aspects = ASPECTS | VISIT_ASPECTS
        counted = {(aspects[field[0]], *field[1:]): number for field, number in sums(delta).items()}
        assert Counter(counted) == Counter(plain.totals()), seed
        ours = sum(number for row, number in plain.totals().items() if row[0] == "service visits")
        excess += ours - plain.ministry_service_visits()
        visits += sum(number for row, number in plain.totals().items() if row[0] == "visits")
    assert visits > 500
    assert excess >= 0


def test_the_stretches_are_those_of_the_counters(catalog: Catalog) -> None:
    plan = CountingRules.of(catalog, BOUNDS, LATENESS_MS).plan
    assert (plan.visit_ms, plan.visit_count) == (stretch_ms(BOUNDS.ahead_ms_max, LATENESS_MS), STRETCHES)


def test_by_hand() -> None:
    visits = PlainVisits(stretch_ms(120_000, 20_000))

    def at(minute: int, service: str = "NOTES", repeat: bool = False) -> tuple[bool, bool]:
        ts = T0 + minute * MINUTE_MS
        return visits.starts(ts, ts, "v", service, repeat)

    assert at(0) == (True, True)
    assert at(1, repeat=True) == (False, False)
    assert at(20, "ABSENCES") == (False, True)
    assert at(45) == (False, True)  # NOTES was left for 44 minutes, the visitor was not
    assert visits.ministry_service_visits == 2
    assert at(75) == (True, True)
    assert visits.ministry_service_visits == 3
    assert visits.starts(T0 + 76 * MINUTE_MS, T0 - 80 * MINUTE_MS, "v", "NOTES", False) == (False, False)
