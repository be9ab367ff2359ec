"""A national surge is one alert that names its regions."""

from __future__ import annotations

import pytest

from streams.watch import Alert, Kind, Scope, drivers, roll_up

ZONES: dict[str, str | None] = {f"{n:02}": "ABC"[n % 3] for n in range(12)} | {"99": None}


def alert(
    region: str, service: str | None = None, kind: Kind = Kind.SURGE, minute: int = 0, excess: float = 100
) -> Alert:
    at = minute * 60_000
    return Alert(kind, Scope(region=region, service=service), at, at + 60_000, None, 100 + excess, 100)


def test_a_national_surge_is_one() -> None:
    alerts = [alert(f"{n:02}", minute=n % 5, excess=100 + n) for n in range(8)]
    (rolled,), alone = roll_up(alerts, ZONES)
    assert (rolled.level, rolled.where, rolled.start_ms, rolled.id) == ("national", None, 0, "surge:national:0")
    assert [one.scope.region for one in rolled.members][:2] == ["07", "06"]
    assert rolled.ratio == pytest.approx(sum(one.observed for one in alerts) / 800)
    assert alone == ()
    assert roll_up(alerts[::-1], ZONES) == ((rolled,), alone)


def test_a_zone_is_one() -> None:
    alerts = [alert(f"{n:02}") for n in (1, 4, 7)] + [alert("02")]
    (rolled,), alone = roll_up(alerts, ZONES)
    assert (rolled.level, rolled.where, len(rolled.members)) == ("zone", "B", 3)
    assert [one.scope.region for one in alone] == ["02"]


def test_what_is_apart_stays_apart() -> None:
    far = [alert(f"{n:02}", minute=60 * n) for n in range(8)]
    assert roll_up(far, ZONES) == ((), tuple(far))
    both = [alert("01"), alert("02"), alert("03", kind=Kind.DROP)]
    assert roll_up(both, ZONES)[0] == ()


def test_a_service_is_part_of_its_region() -> None:
    alerts = [alert("01"), alert("01", "NOTES"), alert("01", "NOTES", Kind.SILENCE), alert("02", "NOTES")]
    rolled, alone = roll_up(alerts, ZONES)
    assert rolled == ()
    assert {one.id for one in alone} == {alerts[0].id, alerts[2].id, alerts[3].id}


def test_drivers() -> None:
    parts = {
        Scope("01", "NOTES"): (300.0, 100.0),
        Scope("01", "AGENDA"): (150.0, 100.0),
        Scope("01", "BLOG"): (90.0, 100.0),
    }
    first, second = drivers(parts, Kind.SURGE)
    assert (first.scope.service, first.excess, first.share) == ("NOTES", 200, 0.8)
    assert (second.scope.service, second.share) == ("AGENDA", 0.2)
    assert [one.scope.service for one in drivers(parts, Kind.DROP)] == ["BLOG"]
    assert drivers({Scope("01", "NOTES"): (100.0, 100.0)}, Kind.SURGE) == ()
