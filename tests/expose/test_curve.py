"""The lines of the page's curve: from real files of an archive, on grids of every length."""

from datetime import date, datetime, timedelta

import numpy as np
import pytest

from streams.clock import PARIS, paris_day
from streams.errors import InputError
from streams.expose.page.curves import Earlier, Lines, same_times
from streams.expose.page.older_minutes import DAYS_KEPT, PastVisits
from streams.expose.page.picture import Picture
from streams.expose.scope import Scope
from streams.expose.spans import SPANS, Grid, read_end, read_span
from streams.history import load_calendar
from streams.history.archive import Archive
from streams.history.reading import History
from streams.settings import default_config_dir
from tests.history.days_made import archived
from tests.stand_ins import NO_MINUTES

FRANCE, GRAND_EST, NOTES = Scope("france", ""), Scope("region", "44"), Scope("region", "44", "NOTES")


def minute(day, hour, minutes=0):
    return int(datetime(day.year, day.month, day.day, hour, minutes, tzinfo=PARIS).timestamp()) // 60


@pytest.fixture
def archive(tmp_path):
    made = Archive(tmp_path)
    made.prepare(simulated=False)
    return made


@pytest.fixture
def lines(archive, catalog):
    calendar = load_calendar(default_config_dir(), catalog)
    return Lines(PastVisits(History(archive, catalog), NO_MINUTES, catalog, 0), calendar, catalog)


def settled(end):
    return Picture(settled_ms=end * 60_000, whole_from=end)


# --- grids


def test_lengths_are_named_in_the_address():
    assert read_span(None) is read_span("") is SPANS["1h"]
    assert [span.minutes // span.step_minutes for span in SPANS.values()] == [60, 360, 288, 336]
    with pytest.raises(InputError, match=r"duree: '2h' .* 1h, 6h, 24h, 7j"):
        read_span("2h")


@pytest.mark.parametrize("text", ["0001-01-01", "1969-12-31T23:59Z", "2200-01-01", "9999-12-31T23:59:59-23:59"])
def test_no_curve_ends_in_a_year_that_no_calendar_reckons_with(text):
    with pytest.raises(InputError, match=r"fin: .* lies before 1970 or after 2199"):
        read_end(text)


@pytest.mark.parametrize("span", SPANS.values(), ids=SPANS)
@pytest.mark.parametrize("text", ["1970-01-01T00:00Z", "2199-12-31T23:59Z"])
def test_at_both_ends_of_time_there_is_a_curve(lines, span, text):
    end = read_end(text)
    shown = lines.curve(settled(29_000_000), GRAND_EST, span, end)
    assert len(shown.visits) == span.minutes // span.step_minutes


@pytest.mark.parametrize("span", SPANS.values(), ids=SPANS)
@pytest.mark.parametrize("end", [29_000_000, 29_000_001, 29_000_029])
def test_slots_end_with_the_last_minute_and_begin_at_round_times_of_screens(span, end):
    grid = Grid.before(end, span, 7)
    assert (grid.first + 7) % span.step_minutes == 0
    values = grid.means(np.arange(len(grid.minutes), dtype=float))
    assert len(values) == span.minutes // span.step_minutes
    assert 0 <= span.minutes - len(grid.minutes) < span.step_minutes


def test_a_mean_is_of_what_is_known():
    assert Grid(0, 7, 3).means([1, 2, None, None, None, None, 5]) == [1.5, None, 5]


# --- earlier days


def test_a_week_before_and_what_is_not_there(lines, archive):
    day = date(2026, 10, 13)
    archived(archive, day - timedelta(days=7), 20, hours=range(7, 9))
    end = minute(day, 8, 30)
    curve = lines.curve(settled(end), GRAND_EST, SPANS["6h"])
    assert curve.week.day == "mardi 6 octobre 2026"
    assert curve.week.visits == [None] * 270 + [20] * 90
    assert curve.visits == [None] * 360
    assert lines.curve(settled(end), FRANCE, SPANS["1h"]).week.visits == [40] * 60
    assert lines.curve(settled(end), NOTES, SPANS["1h"]).week.visits == [15] * 60
    assert lines.curve(settled(end), Scope("project", "atrium"), SPANS["1h"]).week == Earlier(curve.week.day, None)
    assert lines.curve(settled(end), Scope("region", "53"), SPANS["7j"]).week.visits is None


def test_a_file_that_is_written_anew_is_read_anew(lines, archive):
    day = date(2026, 10, 13)
    end = minute(day, 8, 30)
    assert lines.curve(settled(end), GRAND_EST, SPANS["1h"]).week.visits is None
    archived(archive, day - timedelta(days=7), 20)
    assert lines.curve(settled(end), GRAND_EST, SPANS["1h"]).week.visits == [20] * 60
    archive.path(day - timedelta(days=7)).unlink()
    archived(archive, day - timedelta(days=7), 50)
    assert lines.curve(settled(end), GRAND_EST, SPANS["1h"]).week.visits == [50] * 60
    archive.path(day - timedelta(days=7)).write_bytes(b"no parquet")
    assert lines.curve(settled(end), GRAND_EST, SPANS["1h"]).week.visits is None  # said as unavailable, never a guess


def test_near_a_rentree_the_last_one_is_a_line(lines, archive):
    archived(archive, date(2025, 9, 1), 50)
    archived(archive, date(2025, 9, 3), 60)
    on_the_day = lines.curve(settled(minute(date(2026, 9, 1), 8)), GRAND_EST, SPANS["1h"])
    assert on_the_day.rentree == Earlier("lundi 1er septembre 2025", [50] * 60)
    # The first Wednesday with the first Wednesday.
    assert lines.curve(settled(minute(date(2026, 9, 2), 8)), GRAND_EST, SPANS["1h"]).rentree.visits == [60] * 60
    assert lines.curve(settled(minute(date(2026, 9, 4), 8)), GRAND_EST, SPANS["1h"]).rentree.visits is None
    assert lines.curve(settled(minute(date(2026, 11, 3), 8)), GRAND_EST, SPANS["1h"]).rentree is None
    week = lines.curve(settled(minute(date(2026, 9, 4), 0)), GRAND_EST, SPANS["7j"]).rentree.visits
    assert (week.count(50), week.count(60), week.count(None)) == (48, 48, 240)


def test_a_curve_may_end_before_now(lines, archive):
    day = date(2026, 10, 13)
    archived(archive, day, 20)
    archived(archive, day - timedelta(days=7), 30)
    now = settled(minute(day, 12))
    then = lines.curve(now, GRAND_EST, SPANS["1h"], minute(day, 8, 10))
    assert (then.grid.first, then.grid.end) == (minute(day, 7, 10), minute(day, 8, 10))
    assert (then.visits, then.week.visits) == ([20] * 60, [30] * 60)
    assert lines.curve(now, GRAND_EST, SPANS["1h"], minute(day, 23)) == lines.curve(now, GRAND_EST, SPANS["1h"])


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)], ids=["spring", "autumn"])
def test_a_time_on_the_clock_goes_with_the_same_time_a_week_before(day):
    before = day - timedelta(days=7)
    for one, other in ((day, before), (before, day)):
        first, end = paris_day(other)
        found = same_times(np.arange(end - first, dtype=float), one, other)
        begin, stop = paris_day(one)
        assert len(found) == stop - begin
        for hour in (0, 1, 4, 12, 23):
            assert found[minute(one, hour) - begin] == minute(other, hour) - first
    assert (
        np.isnan(same_times(np.zeros(23 * 60), before, date(2026, 3, 29))).sum() == 60
    )  # 02:00 was on one of both alone


# --- the range itself


def test_a_week_is_the_archive_and_what_is_held(lines, archive):
    day = date(2026, 10, 13)
    for back in range(8):
        archived(archive, day - timedelta(days=back), 10 + back, hours=range(24) if back else range(6))
    curve = lines.curve(settled(minute(day, 8, 15)), GRAND_EST, SPANS["7j"])
    assert curve.visits[:3] == [17, 17, 17]
    assert curve.visits[-5:] == [None] * 5  # from 06:00 on neither has it
    assert curve.visits[-6] == 10
    assert curve.week.visits[-1] == 17


def test_days_are_kept_and_not_without_end(lines, archive):
    day = date(2026, 10, 13)
    for back in range(9):
        archived(archive, day - timedelta(days=back), 10)
    past = lines._past
    for code in ("44", "84", "11"):
        for service in (None, "NOTES", "ABSENCES"):
            lines.curve(settled(minute(day, 8)), Scope("region", code, service), SPANS["7j"])
            assert len(past._days) <= DAYS_KEPT
