"""Generations: what is remembered, how long, how much at most; and that a rewind knows exactly what an uninterrupted run knows."""

import random
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
import pytest

from streams.count.generations import SketchKind, Tables
from streams.count.memory import DEDUPE_MS_MIN, VISIT_GAP_MS, Memory, MemoryPlan
from streams.count.recognise import VisitorRows, recognise

PLAN = MemoryPlan.covering(120_000, 20_000)
MINUTE = 60_000
T0 = 1_788_242_400_000 // (PLAN.visit_ms * PLAN.id_ms) * PLAN.visit_ms * PLAN.id_ms
SERVICES = {"NOTES": 0, "ABSENCES": 1, "INCONNU": 2}


@dataclass(frozen=True)
class Event:
    id: str
    ts: int
    visitor: str
    service: int


@dataclass(frozen=True)
class Found:
    """What one block's events are, by id."""

    fresh: list[str]
    visits: list[str]
    service_visits: list[str]


class Memories:
    """A memory that is fed blocks of events, one by one or several in one call."""

    def __init__(self, plan: MemoryPlan = PLAN) -> None:
        self.memory = Memory(plan, Tables(len(SERVICES)))

    def recognise(self, events: list[Event], at: int) -> Found:
        return self.recognise_blocks([(at, events)])[0]

    def recognise_blocks(self, log: list[tuple[int, list[Event]]]) -> list[Found]:
        events = [event for _, some in log for event in some]
        ends = list(accumulate(len(some) for _, some in log))
        recognised = recognise(
            [(self.memory, [(end, at) for end, (at, _) in zip(ends, log, strict=True)])],
            np.array([hash(event.id) for event in events]),
            np.array([hash(event.visitor) for event in events]),
            np.array([event.service for event in events]),
            np.array([event.ts for event in events]),
        )
        masks = (recognised.fresh, recognised.visits, recognised.service_visits)
        found = []
        for end, (_, some) in zip(ends, log, strict=True):
            span = slice(end - len(some), end)
            found.append(Found(*([e.id for e, is_one in zip(some, m[span], strict=True) if is_one] for m in masks)))
        return found


def event(number: int, ts: int, visitor: str = "v", service: str = "NOTES") -> Event:
    return Event(f"e{number}", ts, visitor, SERVICES.get(service, SERVICES["INCONNU"]))


def memory(plan: MemoryPlan = PLAN) -> Memories:
    return Memories(plan)


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
    assert one.recognise([event(1, at)], at).fresh
    assert not one.recognise([event(1, at)], at + DEDUPE_MS_MIN).fresh
    assert one.memory.window_ms(at + DEDUPE_MS_MIN) >= DEDUPE_MS_MIN


def test_a_repeat_is_forgotten_after_two_generations_and_a_repeat_renews_it() -> None:
    one = memory()
    one.recognise([event(1, T0)], T0)
    assert not one.recognise([event(1, T0)], T0 + PLAN.id_ms).fresh
    assert not one.recognise([event(1, T0)], T0 + 2 * PLAN.id_ms).fresh, "the repeat was remembered like any event"
    assert one.recognise([event(1, T0)], T0 + 4 * PLAN.id_ms).fresh


def starts(recognised: Found) -> tuple[int, int]:
    return len(recognised.visits), len(recognised.service_visits)


def test_a_gap_of_thirty_minutes_starts_a_visit() -> None:
    one = memory()
    assert starts(one.recognise([event(1, T0)], T0)) == (1, 1)
    almost = T0 + VISIT_GAP_MS - 1
    assert starts(one.recognise([event(2, almost)], almost)) == (0, 0)
    later = almost + VISIT_GAP_MS
    assert starts(one.recognise([event(3, later)], later)) == (1, 1)


def test_another_service_is_a_visit_of_that_service_only() -> None:
    one = memory()
    one.recognise([event(1, T0)], T0)
    assert starts(one.recognise([event(2, T0 + 1000, service="ABSENCES")], T0 + 1000)) == (0, 1)


def test_a_service_of_a_long_visit_can_start_again() -> None:
    """The documented excess over the ministry's rule: the visit goes on, the service was left for half an hour."""
    one = memory()
    one.recognise([event(1, T0)], T0)
    for minutes in (20, 40):
        one.recognise([event(minutes, T0 + minutes * MINUTE, service="ABSENCES")], T0 + minutes * MINUTE)
    assert starts(one.recognise([event(60, T0 + 45 * MINUTE)], T0 + 45 * MINUTE)) == (0, 1)


def test_an_event_older_than_its_visitors_latest_never_starts_a_visit() -> None:
    one = memory()
    one.recognise([event(1, T0)], T0)
    assert starts(one.recognise([event(2, T0 - 10 * VISIT_GAP_MS)], T0 + 1000)) == (0, 0)


def test_codes_that_are_not_listed_are_one_service() -> None:
    one = memory()
    one.recognise([event(1, T0, service="nope")], T0)
    assert starts(one.recognise([event(2, T0, service="neither")], T0)) == (0, 0)


def test_a_repeat_starts_nothing_but_is_remembered() -> None:
    one = memory()
    one.recognise([event(1, T0)], T0)
    recognised = one.recognise([event(1, T0)], T0 + 1000)
    assert (recognised.fresh, recognised.visits, recognised.service_visits) == ([], [], [])


def test_a_full_generation_closes_early_and_the_shorter_window_is_shown() -> None:
    one = memory(replace(PLAN, ids_max=100))
    for step in range(10):
        at = T0 + step * 1000
        one.recognise([event(step * 50 + i, at) for i in range(50)], at)
    ids, _visitors = one.memory.sizes()
    assert ids <= 2 * 150
    assert one.memory.window_ms(T0 + 9000) == 3000
    assert memory().memory.window_ms(T0) == 0


def test_the_window_is_the_planned_one_while_nothing_was_forgotten() -> None:
    """Also where the log has just begun, or nothing came for hours: what was not there cannot be forgotten."""
    one = memory()
    one.recognise([event(1, T0)], T0 + 60_000)
    assert one.memory.window_ms(T0 + 60_000) == PLAN.id_ms + 60_000
    at = T0 + 50 * PLAN.id_ms
    one.recognise([event(2, at)], at + 1000)
    assert one.memory.window_ms(at + 1000) == PLAN.id_ms + 1000


def test_visitors_are_bounded_too() -> None:
    one = memory(replace(PLAN, visitors_max=100))
    for step in range(30):
        at = T0 + step * 1000
        one.recognise([event(step * 50 + i, at, visitor=f"v{step}-{i}") for i in range(50)], at)
    _ids, visitors = one.memory.sizes()
    assert visitors <= PLAN.visit_count * 150
    # Two blocks a generation: with that of the last blocks, four more are remembered, and it shows.
    assert one.memory.visit_window_ms(T0 + 29_000) == 9_000
    assert memory().memory.visit_window_ms(T0) == 0


def test_the_window_of_visitors_is_the_planned_one_while_nothing_was_forgotten() -> None:
    one = memory()
    for step in range(8):
        one.recognise([event(step, T0)], T0 + step * PLAN.visit_ms + 5_000)
    assert one.memory.visit_window_ms(T0 + 7 * PLAN.visit_ms + 5_000) == 4 * PLAN.visit_ms + 5_000


def log_of(rnd: random.Random, batches: int) -> list[tuple[int, list[Event]]]:
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
    plan = replace(PLAN, ids_max=ids_max, visitors_max=max(30, ids_max // 3))
    compared = 0
    for seed in range(12):
        rnd = random.Random(seed)
        log = log_of(rnd, 120)
        whole = memory(plan)
        expected = [whole.recognise(list(events), at) for at, events in log]
        for cut in rnd.sample(range(20, 110), 4):
            again = memory(plan)
            start_ms = plan.rewind_start_ms(log[cut - 1][0])
            again.recognise_blocks([(at, events) for at, events in log[:cut] if at >= start_ms])
            # Several blocks in one call are recognised as one by one.
            assert again.recognise_blocks(log[cut:]) == expected[cut:], (seed, cut)
            compared += sum(len(events) for _, events in log[cut:])
    assert compared > 20_000


def test_who_was_sent_to_a_sketch_is_not_sent_again_within_a_generation() -> None:
    one = Memory(PLAN, Tables(len(SERVICES)))

    def sent(visitor: int, at: int) -> VisitorRows:
        number = np.array([visitor])
        return recognise([(one, [(1, at)])], np.array([at]), number, np.array([0]), np.array([at])).visitors

    rows = sent(7, T0)
    assert rows.note_sent(np.array([5]), SketchKind.MINUTE).tolist() == [0]
    assert sent(7, T0 + 1).note_sent(np.array([5]), SketchKind.MINUTE).tolist() == []
    assert sent(8, T0 + 2).note_sent(np.array([5]), SketchKind.MINUTE).tolist() == [0], "another visitor"
    assert sent(7, T0 + 3).note_sent(np.array([6]), SketchKind.MINUTE).tolist() == [0], "another sketch"
    assert sent(7, T0 + 4).note_sent(np.array([6]), SketchKind.DAY).tolist() == [0], "another kind"
    assert sent(7, T0 + PLAN.visit_ms).note_sent(np.array([6]), SketchKind.MINUTE).tolist() == [0], "another generation"


def test_events_from_before_a_generation_began_are_sent() -> None:
    one = Memory(PLAN, Tables(len(SERVICES)))
    times = np.array([T0, T0 + PLAN.visit_ms])
    blocks = [(1, T0), (2, T0 + PLAN.visit_ms)]
    rows = recognise([(one, blocks)], np.array([1, 2]), np.array([7, 7]), np.array([0, 0]), times).visitors
    assert rows.rows.tolist() == [-1, 0]
    assert rows.note_sent(np.array([5, 5]), SketchKind.MINUTE).tolist() == [0, 1]
    assert rows.note_sent(np.array([5, 5]), SketchKind.MINUTE).tolist() == [0], "what has no row can't be noted"
