"""Scenario time as French screens say it."""

from datetime import UTC, datetime

import pytest

from streams.clock import french_moment, iso_utc, scenario_time, simulation_notice

NOW_MS = int(datetime(2026, 11, 23, 16, 30, tzinfo=UTC).timestamp() * 1000)


def shift_to(year: int, month: int, day: int, hour: int, minute: int) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) - NOW_MS // 1000


def test_the_notice_shows_the_scenario_in_paris():
    # 05:52 UTC in summer time.
    assert simulation_notice(NOW_MS, shift_to(2026, 9, 1, 5, 52)) == "simulation du mardi 1er septembre 2026, 07:52"


def test_production_has_no_notice():
    assert simulation_notice(NOW_MS, 0) is None


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ((2026, 9, 22, 5, 47), "mardi 22 septembre 2026, 07:47"),
        ((2026, 12, 31, 23, 30), "vendredi 1er janvier 2027, 00:30"),  # winter time, over midnight
        ((2026, 8, 2, 10, 5), "dimanche 2 août 2026, 12:05"),
        ((2026, 2, 21, 0, 0), "samedi 21 février 2026, 01:00"),
    ],
)
def test_moments_in_french(when, text):
    assert french_moment(scenario_time(NOW_MS, shift_to(*when))) == text


def test_iso():
    assert iso_utc(1_788_242_580_000) == "2026-09-01T06:03:00Z"
    assert iso_utc(1_788_242_592_345, milliseconds=True) == "2026-09-01T06:03:12.345Z"
