"""Forecasts of days that are known to the test: better than last week's day, an interval that holds, nothing made up."""

import asyncio
import csv
import io
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import orjson
import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from starlette.responses import Response

from streams.access import AccessScope, Viewer
from streams.catalog import load_catalog
from streams.cli import cli
from streams.clock import PARIS, dates, iso_utc, paris_day
from streams.errors import InputError
from streams.expose.collector import ForecastScraper
from streams.expose.page import add_forecast
from streams.expose.scope import OutOfSight
from streams.forecast.expectation import KnownDays, outlook
from streams.forecast.forecaster import backtest
from streams.forecast.kept import (
    BOUNDS,
    ForecastDay,
    ForecastQuarter,
    KeptForecast,
    forecast_body,
    kept,
    quarter_that_ends,
)
from streams.history import DayType
from streams.history.archive import Archive
from streams.history.day_columns import CutName, CutRows, Sketches
from streams.history.marks import DayFile, HourMark, HourSource
from streams.history.whole_files import ArchiveError
from streams.settings import default_config_dir

FIRST = date(2025, 11, 3)
MINUTES = np.arange(1440)
SHAPE = np.exp(-(((MINUTES - 510) / 90.0) ** 2)) + 0.6 * np.exp(-(((MINUTES - 1080) / 120.0) ** 2)) + 0.01
WEEKDAY = (1.0, 0.95, 0.6, 0.97, 0.9, 0.2, 0.35)


def _kind(day: date) -> DayType:
    return {2: DayType.WEDNESDAY, 4: DayType.FRIDAY}.get(
        day.weekday(), DayType.WEEKEND if day.weekday() >= 5 else DayType.SCHOOL_DAY
    )


def _made(days: int, rate: float, seed: int = 1, holiday: tuple[int, int] = (0, 0)) -> KnownDays:
    """Days that wander in level by a few percent, with visits that come one by one; `holiday` are numbers of days with hardly any."""
    rng = np.random.default_rng(seed)
    found, level = {}, 0.0
    off = {FIRST + timedelta(days=number) for number in range(*holiday)}
    for number in range(days):
        day = FIRST + timedelta(days=number)
        level = 0.8 * level + rng.normal(0, 0.04)
        mean = rate * WEEKDAY[day.weekday()] * (0.15 if day in off else 1.0) * np.exp(level) * SHAPE
        found[day] = rng.poisson(np.stack([mean, 0.3 * mean])).astype(np.float64)
    return KnownDays(found, lambda day: (DayType.HOLIDAY if day in off else _kind(day),), lambda _day: None)


@pytest.mark.parametrize("horizon", [1, 7])
@pytest.mark.parametrize("rate", [2.0, 60.0])
def test_better_than_last_week_and_the_interval_holds(horizon: int, rate: float) -> None:
    known = _made(190, rate)
    score = backtest([known], list(known.days)[-120:], horizon)
    assert score is not None
    assert score.days == 120
    assert score.error < score.error_last_week
    assert score.error < score.error_four_weeks * 1.02
    assert 0.75 < score.coverage < 0.85


@pytest.mark.parametrize("horizon", [1, 7])
@pytest.mark.parametrize("course", ["walk", "tails", "fortnights"])
def test_the_interval_holds_where_the_formula_is_wrong(course: str, horizon: int) -> None:
    """Levels that walk away, leap at times, or change each fortnight: the formula alone holds 65 to 94 %."""
    rng = np.random.default_rng(3)
    found, level = {}, 0.0
    for number in range(420):
        day = FIRST + timedelta(days=number)
        step, leap = rng.normal(0, 0.15), 0.1 * rng.standard_t(1.5)
        level = {"walk": level + step, "tails": leap, "fortnights": 0.5 * (number // 14 % 2)}[course]
        mean = 60 * WEEKDAY[day.weekday()] * np.exp(np.clip(level, -2, 2)) * SHAPE
        found[day] = rng.poisson(np.stack([mean, 0.3 * mean])).astype(np.float64)
    known = KnownDays(found, lambda day: (_kind(day),), lambda _day: None)
    score = backtest([known], list(found)[-300:], horizon)
    assert score is not None
    assert 0.75 < score.coverage < 0.85


def test_a_kind_of_day_that_did_not_come_lately_is_told_from_last_year() -> None:
    rng = np.random.default_rng(4)
    summer = date(2026, 7, 4)
    days = {}
    for back in range(1, 460):
        day = summer - timedelta(days=back)
        is_summer = 358 <= back <= 364 + 7
        rate = (2.0 if is_summer else 20.0) * (1.5 if back < 100 else 1.0)
        days[day] = rng.poisson(rate * SHAPE)[None].astype(np.float64)

    def kind_of(day: date) -> tuple[DayType]:
        back = (summer - day).days
        return (DayType.HOLIDAY if back <= 0 or 358 <= back <= 371 else DayType.SCHOOL_DAY,)

    found = outlook(KnownDays(days, kind_of, lambda _day: None), summer)
    assert found is not None
    assert found.mean.sum() == pytest.approx(1.5 * 2.0 * SHAPE.sum(), rel=0.15)  # not the 30 of the weeks before
    assert found.notes[0] == "from last year's days of its kind alone"
    assert 1.4 < float(found.notes[1].split()[1]) < 1.8  # a week of last year was summer already


def test_a_week_of_holidays_does_not_mislead_it() -> None:
    known = _made(120, 30.0, holiday=(70, 84))
    after = [FIRST + timedelta(days=number) for number in range(84, 98)]
    score = backtest([known], after, 1)
    assert score is not None
    assert score.error < 0.5 * min(score.error_last_week, score.error_four_weeks)


def test_nothing_after_the_last_day_is_known_to_it() -> None:
    known = _made(100, 30.0)
    day = FIRST + timedelta(days=90)
    before = known.until(day - timedelta(days=1))
    changed = KnownDays(
        {one: values if one < day else values * 50 for one, values in known.days.items()},
        known.kind_of,
        known.rentree_of,
    )
    ours, theirs = outlook(before, day), outlook(changed.until(day - timedelta(days=1)), day)
    assert ours is not None
    assert theirs is not None
    assert np.array_equal(ours.mean, theirs.mean)


def test_a_rentree_is_told_from_the_one_before_or_not_at_all() -> None:
    this, last = date(2026, 9, 1), date(2025, 9, 2)
    rng = np.random.default_rng(2)
    days = {last: rng.poisson(900 * SHAPE)[None].astype(np.float64)}
    for back in range(10, 50):  # this spring 1.5 times as much as the last
        days[this - timedelta(days=back)] = rng.poisson(30 * SHAPE)[None].astype(np.float64)
        days[this - timedelta(days=back + 364)] = rng.poisson(20 * SHAPE)[None].astype(np.float64)
    known = KnownDays(days, lambda _day: (DayType.RENTREE_WEEK,), lambda day: this if day >= date(2026, 8, 1) else last)
    found = outlook(known, this)
    assert found is not None
    assert found.like == (last,)
    assert found.mean.sum() == pytest.approx(1.5 * days[last].sum(), rel=0.06)
    assert found.upper.sum() > 1.2 * found.mean.sum()
    without = KnownDays({day: values for day, values in days.items() if day != last}, known.kind_of, known.rentree_of)
    assert outlook(without, this) is None


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six weeks of one region."""
    directory = tmp_path_factory.mktemp("archive")
    made = Archive(directory)
    made.prepare(simulated=False)
    known = _made(42, 20.0)
    for day in dates(FIRST, FIRST + timedelta(days=41)):
        first, end = paris_day(day)
        counts = known.days[day].astype(int)
        items = [(minute, int(n)) for minute, n in zip(range(first, end), counts[0], strict=True)]
        keys = {CutName.REGION: ("44",), CutName.REGION_SERVICE: ("44", "NOTES"), CutName.PROJECT: ("mbn",)}
        rows = {
            cut: CutRows.of((keys[cut], minute, n, n, 0) for minute, n in items) if cut in keys else CutRows.empty()
            for cut in CutName
        }
        hours = tuple(
            HourMark(hour, HourSource.LIVE, ((hour * 60, hour * 60 + 60),)) for hour in range(first // 60, end // 60)
        )
        made.write(DayFile(day, 0, hours, rows, Sketches.none()))
    return directory


def _run(archive: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["forecast", "--archive", str(archive), *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def test_json_csv_and_growth(archive: Path) -> None:
    code, text = _run(archive, "--date", "2025-12-16", "--json", "--by", "region")
    rows = orjson.loads(text)
    assert code == 0
    assert len(rows) == 1440
    assert set(rows[0]) == {"minute", "region", "visits", "lower", "upper"}
    assert rows[0]["minute"] == "2025-12-15T23:00:00Z"
    assert all(row["lower"] <= row["visits"] <= row["upper"] for row in rows)
    _code, text = _run(archive, "--date", "2025-12-16", "--csv", "--growth", "1.5")
    told = list(csv.DictReader(io.StringIO(text)))
    assert list(told[0]) == ["minute", "visits", "lower", "upper"]
    assert sum(float(row["visits"]) for row in told) == pytest.approx(
        1.5 * sum(row["visits"] for row in rows), rel=0.001
    )
    code, text = _run(archive, "--date", "2025-12-15", "--to", "2025-12-17")
    assert code == 0
    assert text.count(" visits (") == text.count(" events (") == 3
    assert text.count("upper bound of its worst minute: 2 workers") == 3
    code, text = _run(archive, "--date", "2025-12-16", "--json", "--measure", "events")
    assert set(orjson.loads(text)[0]) == {"minute", "events", "lower", "upper"}


def test_it_says_what_it_cannot_tell(archive: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["forecast", "--archive", str(archive), "--date", "2027-05-04"])
    assert result.exit_code == 1
    assert "nothing like it is known" in result.output
    result = CliRunner().invoke(cli, ["forecast", "--archive", str(archive)])
    assert "say --date DAY" in str(result.exception)
    result = CliRunner().invoke(cli, ["forecast", "--archive", str(tmp_path), "--date", "2026-01-01"])
    assert "holds no day" in str(result.exception)


def test_a_day_before_all_that_is_held_is_not_told(archive: Path) -> None:
    result = CliRunner().invoke(cli, ["forecast", "--archive", str(archive), "--date", "1999-05-04"])
    assert result.exit_code == 1
    assert "nothing like it is known" in result.output


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize(
    "words",
    [
        ("forecast", "--date", "{}"),
        ("report", "day", "--day", "{}"),
        ("report", "period", "--from", "{}", "--to", "{}"),
        ("history", "export", "--from", "{}", "--to", "{}"),
        ("rehearse", "--from", "{}", "--to", "{}"),
    ],
)
def test_years_that_no_calendar_reckons_with_are_refused(archive: Path, words: tuple[str, ...], day: str) -> None:
    result = CliRunner().invoke(cli, [*(word.format(day) for word in words), "--archive", str(archive)])
    assert (result.exit_code == 2 and "years are those from 1970" in result.stderr) or isinstance(
        result.exception, InputError
    )


def test_backtest_prints_a_table(archive: Path) -> None:
    code, text = _run(archive, "--backtest")
    assert code == 0
    assert [line.split()[0] for line in text.splitlines()] == ["days", "1", "7"]


def test_the_page_and_what_observers_show_say_what_the_command_said(archive: Path, tmp_path: Path) -> None:
    code, text = _run(archive, "--keep", "--html", str(tmp_path / "prevision.html"))
    assert code == 0
    found = kept(archive)
    assert found is not None
    assert [one.day for one in found.days] == [f"{FIRST + timedelta(days=42 + number)}" for number in range(7)]
    assert found.known_to == f"{FIRST + timedelta(days=41)}"
    assert f"{found.days[0].visits:,} visits ({found.days[0].lower:,} to {found.days[0].upper:,})" in text
    assert len(found.quarters) == 7 * 96
    of_first = [one.visits for one in found.quarters[:96]]
    assert sum(of_first) == pytest.approx(found.days[0].visits, abs=10)
    assert found.quarters[0].minute == "2025-12-14T23:00:00Z"
    page = (tmp_path / "prevision.html").read_text()
    assert "lundi 15 décembre 2025" in page.casefold()
    assert page.count("<polyline") == 6
    assert not re.search(r"<script|(src|href)=", page)
    assert 'style="' not in forecast_body(found).replace(
        '<i style="background', ""
    )  # what the observer's policy lets through


def test_fifteen_minutes_are_told_from_the_quarters_that_they_lie_in() -> None:
    seven = datetime(2026, 9, 1, 7, tzinfo=PARIS).timestamp()
    made = _told(seven)
    assert quarter_that_ends(made, seven + 900) == (100, 80, 120)
    assert quarter_that_ends(made, seven + 900 + 300) == pytest.approx((200, 160, 240))
    assert quarter_that_ends(made, seven + 1800) == (400, 320, 480)
    assert quarter_that_ends(made, seven + 899) is None
    assert quarter_that_ends(made, seven + 1801) is None


def _told(first: float) -> KeptForecast:
    """Two quarters of an hour from a time on, and a day."""
    quarters = [
        ForecastQuarter(iso_utc(int(first + 900 * number) * 1000), each, each * 0.8, each * 1.2)
        for number, each in enumerate((100, 400))
    ]
    day = ForecastDay("2026-09-01", 1000, 900, 1100, 3, None, 2, ())
    return KeptForecast("2026-08-31T22:00:00Z", "2026-08-31", (day,), tuple(quarters))


def test_metrics_tell_the_forecast_of_the_time_that_screens_show(caplog: pytest.LogCaptureFixture) -> None:
    seven, shift = datetime(2026, 9, 1, 7, tzinfo=PARIS).timestamp(), -3600

    def exposed(found: Callable[[], KeptForecast | None], at: float) -> dict[tuple[str, ...], float]:
        families = ForecastScraper(found, shift).families(int((at - shift) * 1000))
        return {(one.name, *one.labels.values()): one.value for each in families for one in each.samples}

    today = {
        ("ent_forecast_day_visits", "today", bound): value
        for bound, value in zip(BOUNDS, (1000, 900, 1100), strict=True)
    }
    now = {("ent_forecast_visits", "0h", bound): value for bound, value in zip(BOUNDS, (400, 320, 480), strict=True)}
    assert exposed(lambda: _told(seven), seven + 1800) == today | now
    later = {("ent_forecast_visits", "1h", bound): value for (_name, _ahead, bound), value in now.items()}
    assert exposed(lambda: _told(seven), seven - 1800) == today | later
    yesterday = {("ent_forecast_day_visits", "tomorrow", bound): value for (_name, _day, bound), value in today.items()}
    assert exposed(lambda: _told(seven), seven - 12 * 3600) == yesterday
    assert exposed(lambda: None, seven) == {}

    def damaged() -> KeptForecast:
        raise ArchiveError("forecast.json is damaged")

    assert exposed(damaged, seven) == {}
    assert "forecast.json is damaged" in caplog.text


def test_a_viewer_of_one_region_does_not_see_a_forecast_of_france() -> None:
    catalog = load_catalog(default_config_dir())
    made = KeptForecast("2026-09-01T00:00:00Z", "2026-08-31", (ForecastDay("2026-09-01", 1, 0, 2, 3, None, 2, ()),), ())

    def asked(found: KeptForecast | None, regions: frozenset[str] | None, path: str) -> tuple[int, str]:
        app = FastAPI()
        add_forecast(app, lambda: found, catalog)
        app.add_exception_handler(OutOfSight, lambda _request, error: Response(str(error), 403))
        viewer = Viewer("x", frozenset(AccessScope), regions)

        async def seen(scope: dict[str, object], receive: object, send: object) -> None:
            if scope["type"] == "http":
                scope.setdefault("state", {})["viewer"] = viewer  # type: ignore[index]
            await app(scope, receive, send)  # type: ignore[arg-type]

        async def get() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(seen), base_url="http://t") as client:  # type: ignore[arg-type]
                return await client.get(path)

        answer = asyncio.run(get())
        return answer.status_code, answer.text

    assert asked(made, None, "/api/v1/forecast") == (200, orjson.dumps(made).decode())
    assert asked(None, None, "/api/v1/forecast")[0] == 404
    assert "vigie forecast --keep" in asked(None, None, "/prevision")[1]
    status, text = asked(made, None, "/prevision")
    assert (status, "mardi 1er septembre 2026" in text.casefold()) == (200, True)
    for path in ("/api/v1/forecast", "/prevision"):
        assert asked(made, frozenset({"44"}), path)[0] == 403
