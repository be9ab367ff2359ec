"""The school calendar against the dates that were published, and what it must not invent."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from streams.catalog import Catalog
from streams.errors import SettingsError
from streams.history import DayType, SchoolCalendar, load_calendar, school_year_of
from streams.settings import default_config_dir

D = date.fromisoformat


@pytest.fixture(scope="session")
def calendar(catalog: Catalog) -> SchoolCalendar:
    return load_calendar(default_config_dir(), catalog)


@pytest.mark.parametrize(
    ("name", "zones", "first", "last"),
    [
        ("Vacances de la Toussaint", "ABC", "2026-10-17", "2026-11-01"),
        ("Vacances de Noël", "ABC", "2026-12-19", "2027-01-03"),
        ("Vacances d'hiver", "A", "2027-02-13", "2027-02-28"),
        ("Vacances d'hiver", "B", "2027-02-20", "2027-03-07"),
        ("Vacances d'hiver", "C", "2027-02-06", "2027-02-21"),
        ("Vacances de printemps", "A", "2027-04-10", "2027-04-25"),
        ("Vacances de printemps", "B", "2027-04-17", "2027-05-02"),
        ("Vacances de printemps", "C", "2027-04-03", "2027-04-18"),
        ("Pont de l'Ascension", "ABC", "2027-05-06", "2027-05-09"),
    ],
)
def test_published_holidays(calendar: SchoolCalendar, name: str, zones: str, first: str, last: str) -> None:
    for zone in zones:
        (found,) = [b for b in calendar.breaks(zone, 2026) if b.name == name]
        assert (found.first, found.last) == (D(first), D(last)), zone
        assert calendar.break_on(D(first) - timedelta(days=1), zone) is None
        assert calendar.break_on(D(last) + timedelta(days=1), zone) is None
        for offset in range(found.days):
            assert not calendar.has_school(found.first + timedelta(days=offset), zone)


@pytest.mark.parametrize(
    ("year", "day"),
    [(2019, "2019-09-02"), (2020, "2020-09-01"), (2025, "2025-09-01"), (2026, "2026-09-01"), (2027, "2027-09-02")],
)
def test_published_rentrees(calendar: SchoolCalendar, year: int, day: str) -> None:
    for zone in "ABC":
        assert calendar.rentree(year, zone) == D(day)
    assert calendar.zone_day_type(D(day), "A") is DayType.RENTREE_WEEK
    assert not calendar.has_school(D(day) - timedelta(days=1), "A")


@pytest.mark.parametrize(
    ("day", "region", "expected"),
    [
        ("2026-09-21", "84", DayType.SCHOOL_DAY),
        ("2026-09-22", "84", DayType.SCHOOL_DAY),
        ("2026-09-23", "84", DayType.WEDNESDAY),
        ("2026-09-25", "84", DayType.FRIDAY),
        ("2026-09-26", "84", DayType.WEEKEND),
        ("2026-09-27", "84", DayType.SUNDAY_BEFORE_SCHOOL),
        ("2026-09-07", "84", DayType.RENTREE_WEEK),
        ("2026-09-08", "84", DayType.SCHOOL_DAY),
        ("2026-09-05", "84", DayType.WEEKEND),
        ("2026-10-17", "84", DayType.HOLIDAY),
        ("2026-10-25", "84", DayType.HOLIDAY),
        ("2026-11-01", "84", DayType.SUNDAY_BEFORE_SCHOOL),  # All Saints' Day, and school the next morning
        ("2026-11-02", "84", DayType.RETURN),
        ("2026-11-11", "84", DayType.PUBLIC_HOLIDAY),
        ("2026-12-25", "84", DayType.PUBLIC_HOLIDAY),
        ("2027-01-04", "11", DayType.RETURN),
        ("2027-02-15", "84", DayType.HOLIDAY),
        ("2027-02-15", "44", DayType.SCHOOL_DAY),
        ("2027-03-08", "44", DayType.RETURN),
        ("2027-03-08", "84", DayType.SCHOOL_DAY),
        ("2027-03-26", "44", DayType.LOCAL_HOLIDAY),  # Good Friday, in Alsace and Moselle
        ("2027-03-26", "32", DayType.FRIDAY),
        ("2027-05-10", "84", DayType.SCHOOL_DAY),  # a bridge of four days is nothing to return from
        ("2026-05-22", "01", DayType.UNKNOWN),
        ("2026-05-27", "01", DayType.PUBLIC_HOLIDAY),  # abolition of slavery in Guadeloupe
        ("2026-12-20", "04", DayType.PUBLIC_HOLIDAY),  # in La Réunion
        ("2026-09-22", "94", DayType.UNKNOWN),
        ("2026-07-14", "94", DayType.PUBLIC_HOLIDAY),
        ("2026-09-22", "99", DayType.UNKNOWN),
        ("2026-09-22", "INCONNU", DayType.UNKNOWN),
    ],
)
def test_day_types(calendar: SchoolCalendar, day: str, region: str, expected: DayType) -> None:
    assert calendar.day_type(D(day), region) is expected


def test_a_return_may_follow_a_public_holiday(calendar: SchoolCalendar) -> None:
    # Spring holidays of zone A end on 2028-05-08, a Monday and a public holiday.
    assert calendar.zone_day_type(D("2028-05-08"), "A") is DayType.PUBLIC_HOLIDAY
    assert calendar.zone_day_type(D("2028-05-09"), "A") is DayType.RETURN


def test_dates_that_nobody_published_are_unknown(calendar: SchoolCalendar) -> None:
    assert calendar.zone_day_type(D("2028-06-13"), "A") is DayType.SCHOOL_DAY
    assert calendar.zone_day_type(D("2028-09-05"), "A") is DayType.UNKNOWN
    assert calendar.rentree(2028) is None
    assert calendar.zone_day_type(D("2031-02-14"), "B") is DayType.UNKNOWN
    assert calendar.zone_day_type(D("2017-02-14"), "B") is DayType.UNKNOWN
    assert calendar.zone_day_type(D("2035-12-25"), "B") is DayType.PUBLIC_HOLIDAY
    assert calendar.rentree(2026, "CORSE") is None
    assert calendar.unknown_regions(D("2026-09-01"), D("2026-09-28")) == ("01", "02", "03", "04", "06", "94")


def test_school_year() -> None:
    assert school_year_of(D("2026-08-01")) == 2026
    assert school_year_of(D("2026-07-31")) == 2025


def with_overrides(tmp_path: Path, catalog: Catalog, text: str) -> SchoolCalendar:
    (tmp_path / "calendar.yaml").write_bytes((default_config_dir() / "calendar.yaml").read_bytes())
    (tmp_path / "calendar_overrides.yaml").write_text(text)
    return load_calendar(tmp_path, catalog)


REUNION = """
school_years:
  - zone: REUNION
    year: 2026
    rentree: 2026-08-17
    summer: 2027-07-10
    breaks: [{name: "Vacances d'octobre", first: 2026-10-10, last: 2026-10-25}]
  - zone: B
    year: 2026
    rentree: 2026-09-03
    summer: 2027-07-03
days:
  - {first: 2026-12-03, last: 2026-12-04, day_type: holiday, regions: ["04"], label: "alerte cyclonique"}
"""


def test_overrides_tell_what_no_package_does(tmp_path: Path, catalog: Catalog) -> None:
    own = with_overrides(tmp_path, catalog, REUNION)
    expected = {
        "2026-08-14": DayType.HOLIDAY,
        "2026-08-17": DayType.RENTREE_WEEK,
        "2026-10-12": DayType.HOLIDAY,
        "2026-10-26": DayType.RETURN,
        "2026-12-03": DayType.HOLIDAY,
        "2026-12-07": DayType.SCHOOL_DAY,
        "2027-07-12": DayType.HOLIDAY,
        "2027-08-16": DayType.UNKNOWN,
    }
    assert {day: own.day_type(D(day), "04") for day in expected} == expected
    assert own.rentree(2026, "REUNION") == D("2026-08-17")
    # A year that is told replaces what the package says of that year alone.
    assert own.rentree(2026, "B") == D("2026-09-03")
    assert own.zone_day_type(D("2026-10-20"), "B") is DayType.SCHOOL_DAY
    assert own.zone_day_type(D("2026-02-16"), "B") is DayType.HOLIDAY
    assert own.zone_day_type(D("2026-07-15"), "B") is DayType.HOLIDAY
    assert own.zone_day_type(D("2026-12-03"), "B") is DayType.SCHOOL_DAY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("school_years: [{zone: X, year: 2026, rentree: 2026-09-01, summer: 2027-07-03}]", "zone 'X' is not in"),
        ("school_years: [{zone: A, year: 2026, rentree: 2027-09-01, summer: 2027-07-03}]", "must lie in this order"),
        (
            "school_years: [{zone: A, year: 2026, rentree: 2026-09-01, summer: 2027-07-03, "
            "breaks: [{name: N, first: 2026-11-02, last: 2026-11-01}]}]",
            "must follow the break before it",
        ),
        ("days: [{first: 2026-12-04, last: 2026-12-03, day_type: holiday, label: x}]", "lies after last"),
        ("days: [{first: 2026-12-04, last: 2026-12-05, day_type: free, label: x}]", "Invalid enum value 'free'"),
        ("days: [{first: 2026-12-04, last: 2026-12-05, day_type: holiday, label: x, regions: ['4']}]", "region '4'"),
        ("daze: []", "unknown field `daze`"),
        ("[1]", "Expected `object`"),
    ],
)
def test_a_wrong_override_is_refused(tmp_path: Path, catalog: Catalog, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match="calendar_overrides") as refused:
        with_overrides(tmp_path, catalog, text)
    assert said in str(refused.value)
    assert "Mend this file" in str(refused.value)


def test_the_package_is_imported_when_it_is_needed() -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, streams.history; print([m for m in ('holidays', 'pyarrow') if m in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_a_stand_in_serves_regions_without_dates_alone(catalog: Catalog, calendar: SchoolCalendar) -> None:
    lent = load_calendar(default_config_dir(), catalog, "A")
    for day in ("2026-09-01", "2026-10-20", "2026-12-22"):
        assert lent.day_type(D(day), "04") == calendar.zone_day_type(D(day), "A")
        assert lent.day_type(D(day), "11") == calendar.day_type(D(day), "11")  # zone C has dates of its own
        assert lent.day_type(D(day), "99") == calendar.day_type(D(day), "99")
    assert lent.day_type(D("2026-12-20"), "04") is DayType.PUBLIC_HOLIDAY  # its own: the end of slavery
    assert lent.unknown_regions(D("2026-09-01"), D("2026-12-01")) == ()
