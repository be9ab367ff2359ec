"""Each day is held against one that is like it, or stays apart."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.catalog import Catalog, load_catalog
from streams.clock import dates
from streams.history import load_calendar
from streams.history.compared_days import ReportQuestion, day_question, period_question, rentree_question
from streams.history.pairing import Likeness, PairedDay, is_off, like_day, pair_days
from streams.settings import default_config_dir

D = date.fromisoformat
CALENDAR = load_calendar(default_config_dir(), load_catalog(default_config_dir()))


def of(question: ReportQuestion, day: str) -> tuple[str, Likeness]:
    """What a day is held against."""
    found = next(pair for pair in question.pairs if pair.now == D(day))
    return found.then.isoformat(), found.likeness


def test_a_rentree_on_a_tuesday_against_one_on_a_monday() -> None:
    found = rentree_question(CALENDAR, 2026, 2025)
    assert of(found, "2026-09-01") == ("2025-09-01", Likeness.SAME)  # the rentrée, whatever its weekday
    assert of(found, "2026-09-04") == ("2025-09-05", Likeness.SAME)  # Fridays; day n is a Thursday
    assert of(found, "2026-09-05") == ("2025-09-06", Likeness.SAME)
    assert of(found, "2026-09-07") == ("2025-09-08", Likeness.SAME)  # the first Monday, the first Monday
    # One Monday more here, one Tuesday more there: both are school days, and count.
    assert of(found, "2026-09-28") == ("2025-09-02", Likeness.KIND)
    assert [pair.likeness for pair in found.pairs].count(Likeness.SAME) == 27


def test_holidays_stay_apart() -> None:
    found = period_question(CALENDAR, D("2026-11-09"), D("2026-11-15"), D("2026-03-23"))
    assert of(found, "2026-11-11") == ("2026-03-25", Likeness.APART)  # the armistice, a Wednesday with school
    assert of(found, "2026-11-12") == ("2026-03-26", Likeness.SAME)
    found = period_question(CALENDAR, D("2026-02-02"), D("2026-03-15"), None)
    # The zones take turns: the week in which zone A alone is on holiday lies a month later the year before.
    assert of(found, "2026-02-09") == ("2025-03-03", Likeness.SAME)
    assert of(found, "2026-02-16")[1] is Likeness.APART  # A and B: never so in 2025
    # Weekends of holidays are no weekends between weeks of school.
    assert of(found, "2026-02-14")[1] is Likeness.APART


def test_a_range_that_begins_on_another_weekday_is_paired_by_weekday() -> None:
    found = period_question(CALENDAR, D("2026-11-02"), D("2026-11-15"), D("2026-03-19"))  # a Monday; a Thursday
    same = [pair for pair in found.pairs if pair.likeness is Likeness.SAME]
    assert len(same) >= 12
    assert all(pair.now.weekday() == pair.then.weekday() for pair in same)


def test_where_no_calendar_is_known_the_weekday_counts(tmp_path: Path, catalog: Catalog) -> None:
    found = period_question(CALENDAR, D("2035-03-05"), D("2035-03-18"), None)
    assert [pair.likeness for pair in found.pairs] == [Likeness.SAME] * 14
    assert {(pair.now - pair.then).days for pair in found.pairs} == {364}


@pytest.mark.parametrize("year", range(2019, 2028))
def test_every_rentree_has_weekends_under_weekends(year: int) -> None:
    found = rentree_question(CALENDAR, year, year - 1)
    assert found.pairs[0].likeness is Likeness.SAME
    for pair in found.pairs[1:]:
        assert is_off(CALENDAR, pair.now) == is_off(CALENDAR, pair.then), pair
        assert pair.likeness is not Likeness.APART
        if pair.likeness is Likeness.SAME:
            assert pair.now.weekday() == pair.then.weekday()
            assert abs((pair.now - pair.then).days - 364) <= 14, pair
    assert sum(pair.likeness is Likeness.SAME for pair in found.pairs) >= 25


@settings(max_examples=80)
@given(first=st.dates(D("2018-01-01"), D("2028-06-01")), length=st.integers(1, 60), back=st.integers(1, 800))
def test_nothing_is_lost_or_paired_twice(first: date, length: int, back: int) -> None:
    days = tuple(dates(first, first + timedelta(days=length - 1)))
    against = tuple(day - timedelta(days=back) for day in days)
    found = pair_days(CALENDAR, days, against)
    assert tuple(pair.now for pair in found) == days
    assert Counter(pair.then for pair in found) == Counter(against)
    for pair in found:
        if pair.likeness is not Likeness.APART and None not in (sides := {_off(pair.now), _off(pair.then)}):
            assert len(sides) == 1, pair


def _off(day: date) -> bool | None:
    """None where nobody knows."""
    known = all(CALENDAR.is_known(day, zone) for zone in "ABC")
    return is_off(CALENDAR, day) if known or day.weekday() >= 5 else None


@pytest.mark.parametrize(
    ("day", "against"),
    [
        ("2026-09-01", "2025-09-01"),  # the rentrée
        ("2026-09-07", "2025-09-08"),  # the first Monday
        ("2026-11-10", "2025-11-04"),  # 364 days before is a public holiday
        ("2026-06-15", "2025-06-16"),
        ("2026-11-11", "2025-11-11"),  # the same holiday
        ("2026-05-15", "2025-05-30"),  # the Friday after the Ascension
    ],
)
def test_one_day_is_held_against_a_like_one(day: str, against: str) -> None:
    assert day_question(CALENDAR, D(day), None).pairs == (PairedDay(D(day), D(against), Likeness.SAME),)


def test_a_like_day_is_the_nearest() -> None:
    assert like_day(CALENDAR, D("2026-11-24"), D("2026-11-17")) == D("2026-11-17")
    assert like_day(CALENDAR, D("2026-11-09"), D("2026-11-02")) == D("2026-11-02")
    assert like_day(CALENDAR, D("2026-11-03"), D("2026-10-27")) == D("2026-11-03")
