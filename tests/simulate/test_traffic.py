"""The generator: deterministic, pure by the second, and its troubles are what the configuration says."""

import json
import re
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise

import msgspec

from streams.events import ID_CHARACTERS_MAX
from streams.settings import Settings
from streams.simulate.scenario import Outage
from streams.simulate.step import Step
from streams.simulate.traffic import Generator, TrafficPlan
from tests.simulate.conftest import CLOCK_S, MakePlan


def steps(plan: TrafficPlan, seconds: int) -> list[Step]:
    generator = Generator(plan)
    return [generator.next_step() for _ in range(seconds)]


def lines(made: list[Step]) -> list[bytes]:
    return [value for step in made for value in [*(special.value for special in step.specials), *step.values]]


def test_same_plan_same_bytes_and_another_seed_others(make_plan: MakePlan) -> None:
    plan = make_plan("storm", "07:55", 0.01)
    first, again = lines(steps(plan, 60)), lines(steps(plan, 60))
    assert len(first) > 5_000
    assert first == again
    other = lines(steps(replace(plan, seed=2), 60))
    assert not set(first) & set(other)


def test_a_simulator_started_again_knows_the_visits_that_go_on(make_plan: MakePlan) -> None:
    plan = make_plan("rentree", "07:50", 0.02, clean=True)
    later = replace(plan, first_s=plan.first_s + 40)

    def without_ids(made: list[Step]) -> list[bytes]:
        return [re.sub(rb'"id":"[^"]*",', b"", line) for line in lines(made)]

    assert without_ids(steps(plan, 60)[40:]) == without_ids(steps(later, 20))


def test_ids_carry_the_run_and_are_unique_but_for_repeats(make_plan: MakePlan) -> None:
    run = "r" * 40
    made = steps(make_plan("storm", "07:55", 0.01, run=run, objects_only=True), 120)
    repeats = [special.value for step in made for special in step.specials if special.repeat]
    sent = Counter(
        json.loads(value)["id"]
        for step in made
        for value in [*(s.value for s in step.specials if s.reason is None), *step.values]
    )
    assert {identity for identity, count in sent.items() if count > 1} == {json.loads(value)["id"] for value in repeats}
    assert max(sent.values()) == 2
    assert all(identity.startswith(f"{run}-") and len(identity) <= ID_CHARACTERS_MAX for identity in sent)
    # A repeat is the very same bytes, later.
    first_seen = {value: step.second for step in reversed(made) for value in step.values}
    for step in made:
        for special in step.specials:
            if special.repeat:
                assert first_seen[special.value] < step.second


def test_troubles_have_the_configured_shares(make_plan: MakePlan) -> None:
    plan = make_plan("ordinary", "09:00", 0.1)
    made = steps(plan, 300)
    total = sum(len(step) for step in made)
    specials = [special for step in made for special in step.specials]
    traffic = plan.traffic
    for found, share in (
        (sum(special.repeat for special in specials), traffic.repeat_share),
        (sum(special.reason is not None for special in specials), traffic.broken_share),
        (sum(special.reason is None and not special.repeat for special in specials), traffic.delayed_share),
    ):
        assert abs(found / total - share) < 0.3 * share + 0.0005
    assert sum(b"INCONNU" in value for value in lines(made)) == 0  # INCONNU is what is counted, never what is sent


def test_repeats_in_a_full_login_storm_are_the_retry_share(make_plan: MakePlan) -> None:
    plan = make_plan("storm", "07:58", 0.01)
    made = steps(plan, 120)
    repeats = sum(special.repeat for step in made for special in step.specials)
    events = sum(len(step.values) for step in made)
    assert 0.13 < repeats / events < 0.16
    assert plan.shape.login_storm.retry_duplicates == 0.15


def test_events_lie_in_their_second_in_order_and_delays_stay_below_the_lateness(make_plan: MakePlan) -> None:
    made = steps(make_plan("rentree", "07:55", 0.02, objects_only=True), 90)
    late_by = []
    for step in made:
        times = [json.loads(value)["ts"] for value in step.values]
        assert times == sorted(times)
        assert all(step.second * 1000 <= ts < (step.second + 1) * 1000 for ts in times)
        assert step.minute == step.second // 60
        late_by += [
            step.second + 1 - json.loads(special.value)["ts"] / 1000
            for special in step.specials
            if special.reason is None
        ]
    assert made[0].second == CLOCK_S
    assert 1 < max(late_by) < Settings.model_fields["lateness_seconds"].default - 4
    assert min(late_by) > 0


def test_what_is_held_back_at_the_end_of_a_file_follows(make_plan: MakePlan) -> None:
    generator = Generator(make_plan("storm", "07:58", 0.01))
    for _ in range(20):
        generator.next_step()
    rest = generator.held_back()
    assert rest
    assert [step.second for step in rest] == sorted(step.second for step in rest)
    assert min(step.second for step in rest) == generator.next_clock_s
    assert generator.held_back() == []


def test_a_clean_plan_has_no_trouble(make_plan: MakePlan) -> None:
    made = steps(make_plan("storm", "07:58", 0.01, clean=True), 30)
    assert all(not step.specials for step in made)
    assert {len(json.loads(value)["uai"]) for value in lines(made)} == {8}


def test_visits_have_about_ten_events_and_visitors_come_back(make_plan: MakePlan) -> None:
    """Over three hours some visitors come back within 30 minutes (the same visit by the ministry's rule), some later (another visit)."""
    seen: defaultdict[bytes, list[int]] = defaultdict(list)
    for step in steps(make_plan("ordinary", "08:00", 0.002, clean=True), 3 * 3600):
        for key in step.keys:
            seen[key].append(step.second)
    visits = sum(1 + sum(b - a >= 1800 for a, b in pairwise(t)) for t in seen.values())
    events = sum(map(len, seen.values()))
    assert 9 < events / visits < 25
    several = sum(any(b - a >= 1800 for a, b in pairwise(t)) for t in seen.values())
    pauses = sum(any(900 < b - a < 1800 for a, b in pairwise(t)) for t in seen.values())
    assert 0.04 < several / len(seen) < 0.70
    assert pauses / len(seen) > 0.02


def test_cut_takes_the_specials_first(make_plan: MakePlan) -> None:
    made = steps(make_plan("storm", "07:58", 0.01), 20)
    step = max(made, key=lambda item: len(item.specials))
    assert len(step.specials) > 2
    for number in (0, 1, len(step.specials), len(step.specials) + 3, len(step) - 1):
        part = step.cut(number)
        assert len(part) == number
        assert lines([part]) == lines([step])[:number]
        assert len(part.keys) == len(part.values) == len(part.cells)


def test_an_outage_stops_one_project_and_nothing_else(make_plan: MakePlan) -> None:
    plan = make_plan("ordinary", "07:59", 0.02, clean=True)
    out = Outage("mbn", "08:00", 1)
    with_outage = replace(plan, scenario=msgspec.structs.replace(plan.scenario, outage=out))
    usual, made = steps(plan, 180), steps(with_outage, 180)

    def visitors(made: list[Step], *, of_project: bool) -> list[Counter[bytes]]:
        mark = b'"project":"mbn"'
        return [
            Counter(key for key, value in zip(s.keys, s.values, strict=True) if (mark in value) is of_project)
            for s in made
        ]

    assert visitors(made, of_project=False) == visitors(usual, of_project=False)
    events = [counter.total() for counter in visitors(made, of_project=True)]
    assert sum(events[:60]) > 20
    assert sum(events[60:120]) == 0
    assert sum(events[120:]) > 20
