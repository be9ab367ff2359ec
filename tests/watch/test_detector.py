"""A settled minute of the country at a time."""

from __future__ import annotations

import datetime
import time

import numpy as np
import pytest

from streams.watch import SENSITIVITIES, Alert, Array, Detector, Judged, Kind, Maintenance, Scope, Series, weekly

NORMAL = SENSITIVITIES["normal"]
BEGIN = int(datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC).timestamp()) // 60
DAYS = 30
A, B = Scope(region="44"), Scope(region="04")
LIST = (
    Series(A, "UTC", "week"),
    Series(B, "Indian/Reunion", "week"),
    Series(Scope(project="mbn"), "UTC", "week", frozenset({Kind.SILENCE})),
)


def minutes() -> Array:
    """(minutes, 3): steady counts, doubled in region 44 for half an hour of the last day, none of a project for ten minutes."""
    rng = np.random.default_rng(2)
    hours = np.arange(DAYS * 1440) / 60 % 24
    counts = rng.poisson(200 + 100 * np.sin(hours * np.pi / 12), size=(3, DAYS * 1440)).T.astype(float)
    at = (DAYS - 1) * 1440 + 600
    counts[at : at + 30, 0] *= 2
    counts[at + 60 : at + 70, 2] = 0
    return counts


def run(detector: Detector, counts: Array, begin: int = 0) -> list[Judged]:
    """In one piece, but for the minutes around what happens, which come one by one."""
    edges = [(DAYS - 1) * 1440 + at - begin for at in (590, 690)]
    low, high = (min(max(edge, 0), len(counts)) for edge in edges)
    pieces = [(0, low), *((row, row + 1) for row in range(low, high)), (high, len(counts))]
    return [detector.judge(BEGIN + begin + first, counts[first:last]) for first, last in pieces if first < last]


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return run(Detector(LIST, {"week": weekly}, NORMAL), minutes())


def test_alerts_begin_run_and_end(judged: list[Judged]) -> None:
    raised = [alert for one in judged for alert in one.raised]
    ended = [alert for one in judged for alert in one.ended]
    at = BEGIN + (DAYS - 1) * 1440 + 600
    assert [(alert.kind, alert.scope) for alert in raised] == [(Kind.SURGE, A), (Kind.SILENCE, Scope(project="mbn"))]
    surge, silence = ended
    assert (surge.start_ms, surge.raised_ms) == (at * 60_000, raised[0].raised_ms)
    assert surge.raised_ms <= (at + 2) * 60_000
    assert surge.end_ms is not None
    assert abs(surge.end_ms // 60_000 - (at + 29)) <= 2
    assert surge.id == f"surge:region=44:{at * 60_000}" == raised[0].id
    assert surge.ratio == pytest.approx(2, abs=0.1)
    assert (silence.observed, silence.start_ms) == (0, (at + 60) * 60_000)
    middle = next(one for one in judged if one.first == at + 20)
    assert [alert.id for alert in middle.running] == [surge.id]
    assert middle.running[0].observed == pytest.approx(minutes()[(DAYS - 1) * 1440 + 600 :][:21, 0].sum(), rel=0.01)


def test_a_project_that_is_only_judged_for_silence_raises_nothing_else() -> None:
    counts = minutes()
    counts[-500:-400, 2] *= 3
    found = run(Detector(LIST, {"week": weekly}, NORMAL), counts)
    assert {alert.kind for one in found for alert in one.raised if alert.scope.project} == {Kind.SILENCE}


def test_a_second_observer_says_the_same(judged: list[Judged]) -> None:
    again = run(Detector(LIST, {"week": weekly}, NORMAL), minutes())
    assert [(one.raised, one.ended, one.running) for one in again] == [
        (one.raised, one.ended, one.running) for one in judged
    ]


def test_bands_are_around_what_comes(judged: list[Judged]) -> None:
    last = judged[-1]
    counts = minutes()[-len(last.lower) :, :2]
    assert np.mean((last.lower[:, :2] <= counts) & (counts <= last.upper[:, :2])) > 0.99
    assert np.isnan(judged[0].expected[:1440]).all()
    first = Detector(LIST, {"week": weekly}, NORMAL).judge(BEGIN, minutes()[:10])
    assert first.learning == {one.scope for one in LIST}


def test_minutes_that_are_left_out_are_not_measured_and_none_comes_twice() -> None:
    counts = minutes()
    detector = Detector(LIST, {"week": weekly}, NORMAL)
    run(detector, counts[: -1440 + 500])
    found = run(detector, counts[-1440 + 590 :], len(counts) - 1440 + 590)
    assert [alert.kind for one in found for alert in one.raised] == [Kind.SURGE, Kind.SILENCE]
    with pytest.raises(ValueError, match="in order"):
        detector.judge(BEGIN, counts[:1])


def test_planned_stops_are_told() -> None:
    stop = Maintenance(1_000, 2_000, (A,), "mise à jour")
    detector = Detector(LIST, {"week": weekly}, NORMAL, (stop,))
    quiet = Alert(Kind.SILENCE, Scope(region="44", service="NOTES"), 900, 1_500, None, 0, 100)
    assert detector.planned(quiet) == stop
    assert detector.planned(Alert(Kind.SURGE, A, 900, 1_500, None, 300, 100)) is None
    assert detector.planned(Alert(Kind.DROP, B, 900, 1_500, None, 10, 100)) is None
    assert detector.planned(Alert(Kind.DROP, A, 900, 2_000, None, 10, 100)) is None


def test_a_minute_of_the_country_takes_less_than_a_second() -> None:
    """20 regions x 28 services, 20 regions, 70 projects, in ten clocks and calendars; the goal is 1 s of one core."""
    rng = np.random.default_rng(1)
    zones = ["Europe/Paris"] * 15 + [
        "America/Martinique",
        "America/Cayenne",
        "Indian/Reunion",
        "Indian/Mayotte",
        "America/Guadeloupe",
    ]
    names = [Series(Scope(f"{n:02}", f"S{s}"), zones[n], f"c{n % 3}") for n in range(20) for s in range(28)]
    names += [Series(Scope(f"{n:02}"), zones[n], f"c{n % 3}") for n in range(20)]
    names += [Series(Scope(project=f"p{n}"), zones[n % 20], f"c{n % 3}") for n in range(70)]
    detector = Detector(names, {f"c{n}": weekly for n in range(3)}, NORMAL)
    counts = rng.poisson(30, size=(1510, len(names))).astype(float)
    detector.judge(BEGIN, counts[:1507])
    began = time.process_time()
    for row in range(1507, 1510):
        detector.judge(BEGIN + row, counts[row : row + 1])
    assert (time.process_time() - began) / 3 < 1.0
