"""Generations: what is remembered, how long, how much at most; and that a rewind knows exactly what an uninterrupted run knows."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from streams.count.memory import DEDUPE_MS_MIN, VISIT_GAP_MS, Judged, Memory, MemoryPlan
from streams.events import VisitEvent

PLAN = MemoryPlan.covering(120_000, 20_000)
MINUTE = 60_000
T0 = 1_788_242_400_000 // (PLAN.visit_ms * PLAN.id_ms) * PLAN.visit_ms * PLAN.id_ms


def event(number: int, ts: int, visitor: str = "v", service: str = "NOTES") -> VisitEvent:
    return VisitEvent(v=1, id=f"e{number}", ts=ts, visitor=visitor, service=service)


def memory(plan: MemoryPlan = PLAN) -> Memory:
    return Memory(plan, ["NOTES", "ABSENCES"])


def test_the_plan_covers_a_visit_and_all_disorder() -> None:
    for ahead_ms, lateness_ms in ((0, 0), (120_000, 20_000), (3_600_000, 3_600_000)):
        plan = MemoryPlan.covering(ahead_ms, lateness_ms)
        assert (plan.visit_count - 1) * plan.visit_ms >= VISIT_GAP_MS + ahead_ms + lateness_ms
        assert plan.visit_ms % 10_000 == 0
        assert plan.id_ms >= DEDUPE_MS_MIN


@pytest.mark.parametrize("offset_ms", [0, 1, PLAN.id_ms - 1, PLAN.id_ms // 2])
def test_a_repeat_within_ten_minutes_is_always_known(offset_ms: int) -> None:
    one = memory()
    at = T0 + offset_ms
    assert one.judge([event(1, at)], at).fresh
    assert not one.judge([event(1, at)], at + DEDUPE_MS_MIN).fresh
    assert one.window_ms(at + DEDUPE_MS_MIN) >= DEDUPE_MS_MIN


def test_a_repeat_is_forgotten_after_two_generations_and_a_repeat_renews_it() -> None:
    one = memory()
    one.judge([event(1, T0)], T0)
    assert not one.judge([event(1, T0)], T0 + PLAN.id_ms).fresh
    assert not one.judge([event(1, T0)], T0 + 2 * PLAN.id_ms).fresh, "the repeat was remembered like any event"
    assert one.judge([event(1, T0)], T0 + 4 * PLAN.id_ms).fresh


def starts(judged: Judged) -> tuple[int, int]:
    return len(judged.visits), len(judged.service_visits)


def test_a_gap_of_thirty_minutes_starts_a_visit() -> None:
    one = memory()
    assert starts(one.judge([event(1, T0)], T0)) == (1, 1)
    almost = T0 + VISIT_GAP_MS - 1
    assert starts(one.judge([event(2, almost)], almost)) == (0, 0)
    later = almost + VISIT_GAP_MS
    assert starts(one.judge([event(3, later)], later)) == (1, 1)


def test_another_service_is_a_visit_of_that_service_only() -> None:
    one = memory()
    one.judge([event(1, T0)], T0)
    assert starts(one.judge([event(2, T0 + 1000, service="ABSENCES")], T0 + 1000)) == (0, 1)


def test_a_service_of_a_long_visit_can_start_again() -> None:
    """The documented excess over the ministry's rule: the visit goes on, the service was left for half an hour."""
    one = memory()
    one.judge([event(1, T0)], T0)
    for minutes in (20, 40):
        one.judge([event(minutes, T0 + minutes * MINUTE, service="ABSENCES")], T0 + minutes * MINUTE)
    assert starts(one.judge([event(60, T0 + 45 * MINUTE)], T0 + 45 * MINUTE)) == (0, 1)


def test_an_event_older_than_its_visitors_latest_never_starts_a_visit() -> None:
    one = memory()
    one.judge([event(1, T0)], T0)
    assert starts(one.judge([event(2, T0 - 10 * VISIT_GAP_MS)], T0 + 1000)) == (0, 0)


def test_codes_that_are_not_listed_are_one_service() -> None:
    one = memory()
    one.judge([event(1, T0, service="nope")], T0)
    assert starts(one.judge([event(2, T0, service="neither")], T0)) == (0, 0)


def test_a_repeat_starts_nothing_but_is_remembered() -> None:
    one = memory()
    one.judge([event(1, T0)], T0)
    judged = one.judge([event(1, T0)], T0 + 1000)
    assert (judged.fresh, judged.visits, judged.service_visits) == ([], [], [])


def test_a_full_generation_closes_early_and_the_shorter_window_is_shown() -> None:
    one = memory(replace(PLAN, ids_max=100))
    for step in range(10):
        at = T0 + step * 1000
        one.judge([event(step * 50 + i, at) for i in range(50)], at)
    ids, _visitors, _pairs = one.sizes()
    assert ids <= 2 * 150
    assert one.window_ms(T0 + 9000) == 3000
    assert memory().window_ms(T0) == 0


def test_the_window_is_the_planned_one_while_nothing_was_forgotten() -> None:
    """Also where the log has just begun, or nothing came for hours: what was not there cannot be forgotten."""
    one = memory()
    one.judge([event(1, T0)], T0 + 60_000)
    assert one.window_ms(T0 + 60_000) == PLAN.id_ms + 60_000
    at = T0 + 50 * PLAN.id_ms
    one.judge([event(2, at)], at + 1000)
    assert one.window_ms(at + 1000) == PLAN.id_ms + 1000


def test_visitors_are_bounded_too() -> None:
    one = memory(replace(PLAN, visitors_max=100))
    for step in range(30):
        at = T0 + step * 1000
        one.judge([event(step * 50 + i, at, visitor=f"v{step}-{i}") for i in range(50)], at)
    _ids, visitors, pairs = one.sizes()
    assert pairs <= PLAN.visit_count * 150
    assert visitors <= pairs


def log_of(rnd: random.Random, batches: int) -> list[tuple[int, list[VisitEvent]]]:
    at, number, log, recent = T0, 0, [], [event(0, T0)]
    for _ in range(batches):
        at += rnd.randrange(0, 4 * MINUTE)
        found = []
        for _ in range(rnd.randrange(1, 30)):
            if rnd.random() < 0.1:
                found.append(rnd.choice(recent[-300:]))
                continue
            number += 1
            late = rnd.randrange(0, 90 * MINUTE) if rnd.random() < 0.05 else rnd.randrange(-2 * MINUTE, 20_000)
            found.append(event(number, at - late, f"v{rnd.randrange(60)}", rnd.choice(["NOTES", "ABSENCES", "x"])))
        recent += found
        log.append((at, found))
    return log


@pytest.mark.parametrize("ids_max", [1_000_000, 60])
def test_a_rewind_knows_exactly_what_an_uninterrupted_run_knows(ids_max: int) -> None:
    plan = replace(PLAN, ids_max=ids_max, visitors_max=ids_max * 3)
    compared = 0
    for seed in range(12):
        rnd = random.Random(seed)
        log = log_of(rnd, 120)
        whole = memory(plan)
        expected = [whole.judge(list(events), at) for at, events in log]
        for cut in rnd.sample(range(20, 110), 4):
            again = memory(plan)
            start_ms = plan.rewind_start_ms(log[cut - 1][0])
            for at, events in log[:cut]:
                if at >= start_ms:
                    again.judge(list(events), at)
            for position in range(cut, len(log)):
                at, events = log[position]
                assert again.judge(list(events), at) == expected[position], (seed, cut, position)
                compared += len(events)
    assert compared > 20_000
