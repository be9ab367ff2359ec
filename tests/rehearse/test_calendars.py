"""Calendars of countries: what recurs on public holidays is no alarm once it was seen, and what was never seen is none either."""

import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli import cli
from streams.errors import InputError
from streams.rehearse.clocks import country_days, is_country
from tests.rehearse.series import Rows, changed, cycle, write, write_lines
from tests.rehearse.test_command import refused, rehearse

#: Holidays of New Zealand from August 2025 to May 2026 that lie on working days, those at Christmas apart.
HOLIDAYS = ("2025-10-27", "2026-02-06", "2026-04-03", "2026-04-06", "2026-04-27")
CHRISTMAS = ("2025-12-25", "2025-12-26", "2026-01-01", "2026-01-02")


def half_a_year() -> Rows:
    rows = cycle(60, weeks=40, begin=datetime.datetime.fromisoformat("2025-08-04"))
    for day in (*HOLIDAYS, *CHRISTMAS):
        rows = changed(rows, day, f"{day} 23:59", lambda n: 0.33 * n)
    return rows


def on_holidays(alerts: list[dict[str, object]]) -> int:
    """Alerts that begin on a holiday."""
    return sum(str(alert["start"])[:10] in HOLIDAYS for alert in alerts)


def told_at_noon(alerts: list[dict[str, object]]) -> int:
    """Holidays at whose noon an alert lasts; it may be said to begin in the evening before."""
    spans = [(str(alert["start"]), str(alert["end"])) for alert in alerts]
    return sum(any(start <= f"{day} 12:00:00" <= end for start, end in spans) for day in HOLIDAYS)


def test_a_quiet_holiday_is_no_alarm(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", half_a_year())
    assert told_at_noon(rehearse(path, "--calendar", "none", "--budget", "0.2")) == len(HOLIDAYS)
    found = rehearse(path, "--calendar", "NZ", "--budget", "0.2")
    assert (on_holidays(found), told_at_noon(found)) == (0, 0)


def test_a_holiday_that_is_like_any_day_is_no_alarm_either(tmp_path: Path) -> None:
    rows = cycle(60, weeks=40, begin=datetime.datetime.fromisoformat("2025-08-04"))
    assert on_holidays(rehearse(write(tmp_path / "c.csv", rows), "--calendar", "NZ", "--budget", "0.2")) == 0


def test_a_holiday_on_a_saturday_is_expected_to_be_a_saturday(tmp_path: Path) -> None:
    rows = cycle(60, weeks=40, begin=datetime.datetime.fromisoformat("2025-08-04"))
    found = rehearse(write(tmp_path / "c.csv", rows), "--calendar", "NZ", "--budget", "0.2")
    # Anzac Day: those before it were on working days, which have more than twice as much.
    assert [
        one for one in found if str(one["start"]) <= "2026-04-25 23:00:00" and str(one["end"]) >= "2026-04-25"
    ] == []


def test_school_holidays_of_a_file(tmp_path: Path) -> None:
    rows = cycle(60, weeks=36, begin=datetime.datetime.fromisoformat("2025-09-08"))
    spans = (("2025-10-18", "2025-11-02"), ("2026-02-14", "2026-03-01"), ("2026-04-11", "2026-04-26"))
    for first, last in spans:
        rows = changed(rows, first, f"{last} 23:59", lambda n: 0.4 * n)
    path = write(tmp_path / "c.csv", rows)
    file = write_lines(tmp_path / "h.csv", ["start,end", *(f"{first},{last}" for first, last in spans)])
    found = rehearse(path, "--calendar", "none", "--school-holidays", str(file), "--budget", "0.2")
    assert [one for one in found if "2026-04-11" <= one["start"] <= "2026-04-30"] == []
    assert "zone A has its own" in refused(path, "--calendar", "A", "--school-holidays", str(file))


@pytest.mark.parametrize(
    "content",
    ["\ufeffstart;end\r\n2026-02-14;2026-03-01\r\n", 'End,Name,Start\n\n2026-03-01,"winter\nbreak",2026-02-14 00:00\n'],
)
def test_school_holidays_of_a_spreadsheet(tmp_path: Path, content: str) -> None:
    (tmp_path / "h.csv").write_text(content, newline="")
    keys_of = country_days("none", tmp_path / "h.csv")
    days = [
        datetime.date(2026, 2, 13),
        datetime.date(2026, 2, 14),
        datetime.date(2026, 3, 1),
        datetime.date(2026, 3, 2),
    ]
    assert [keys_of.is_school_holiday(day) for day in days] == [False, True, True, False]  # type: ignore[attr-defined]


@pytest.mark.parametrize("code", ["FR", "US", "US-CA", "NZ"])
def test_countries_and_parts_of_them(code: str) -> None:
    assert is_country(code)
    assert country_days(code, None)(datetime.date(2026, 1, 1)).name == ("public holiday",)


@pytest.mark.parametrize("code", ["D", "us", "US-ZZ", "XX", ""])
def test_other_codes_are_refused(tmp_path: Path, code: str) -> None:
    path = write(tmp_path / "c.csv", cycle(60, weeks=1))
    done = CliRunner().invoke(cli, ["rehearse", "--counts", str(path), "--calendar", code])
    assert done.exit_code == 2
    assert "is no calendar" in done.stderr


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["2026-01-01,2026-01-02"], "expected a first line `start,end`"),
        (["start,end"], "has no holidays"),
        (["start,end", "2026-01-01"], "line 2: 1 columns where line 1 has 2"),
        (["start,end", "0001-01-01,2026-01-01"], "line 2: write two days"),
        (["start,end", "1 May,2 May"], "line 2: write two days"),
        (["start,end", "2026-01-03,2026-01-01"], "line 2: 2026-01-03 lies after"),
    ],
)
def test_bad_files_of_holidays_are_refused(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        country_days("FR", write_lines(tmp_path / "h.csv", lines))
