"""What stands beside the page's figure: the last day like today, and near a rentrée the last one, from real files of an archive."""

from datetime import date, datetime
from types import SimpleNamespace

import pytest

from streams.clock import PARIS
from streams.expose.page.curves import Beside, EarlierDays
from streams.expose.page.judged import _beside
from streams.expose.page.older_minutes import PastVisits
from streams.expose.scope import Scope
from streams.history import load_calendar
from streams.history.archive import Archive
from streams.history.reading import History
from streams.settings import default_config_dir
from tests.history.days_made import archived
from tests.stand_ins import NOBODY

FRANCE, GRAND_EST = Scope("france", ""), Scope("region", "44")


def minute(day, hour):
    return int(datetime(day.year, day.month, day.day, hour, 50, tzinfo=PARIS).timestamp()) // 60


@pytest.fixture
def archive(tmp_path):
    made = Archive(tmp_path)
    made.prepare(simulated=False)
    return made


@pytest.fixture
def earlier(archive, catalog):
    past = PastVisits(History(archive, catalog), NOBODY, catalog, 0)
    return EarlierDays(past, load_calendar(default_config_dir(), catalog), catalog)


def test_the_last_monday_in_november(earlier, archive):
    day = date(2026, 11, 23)
    for before, visits in (("2026-11-16", 20), ("2026-11-22", 90), ("2026-09-01", 80), ("2025-09-01", 70)):
        archived(archive, date.fromisoformat(before), visits, hours=range(7, 9))
    what = "le lundi 16 novembre, dernier jour comparable"
    assert earlier.beside(FRANCE, minute(day, 7)) == [Beside("lundi 16 novembre 2026", what, 40.0)]
    assert earlier.beside(GRAND_EST, minute(day, 7)) == [Beside("lundi 16 novembre 2026", what, 20.0)]
    assert earlier.beside(FRANCE, minute(day, 9)) == [Beside("lundi 16 novembre 2026", what, None)]  # never a guess


def test_a_holiday_is_not_held_against_a_day_with_school(earlier, archive):
    for before in ("2026-10-12", "2026-10-19", "2026-10-26", "2026-11-02", "2026-11-04", "2026-11-09"):
        archived(archive, date.fromisoformat(before), int(before[-2:]), hours=range(7, 9))

    def day_of(day, scope=FRANCE):
        return [one.day for one in earlier.beside(scope, minute(date.fromisoformat(day), 7))]

    assert day_of("2026-11-09") == ["lundi 2 novembre 2026"]
    assert day_of("2026-11-02") == ["lundi 12 octobre 2026"]  # over the holidays
    assert day_of("2026-10-26") == ["lundi 19 octobre 2026"]  # holidays against holidays
    assert day_of("2026-11-18") == ["mercredi 4 novembre 2026"]  # the 11th is a public holiday
    found = earlier.beside(FRANCE, minute(date(2026, 11, 23), 7))
    assert found[0].what == "le lundi 9 novembre, dernier jour comparable archivé"  # the 16th is not there
    # The zones take turns in winter: Grand Est (B) has school while zone A has none.
    assert day_of("2027-02-15") == []
    assert day_of("2027-02-15", GRAND_EST)[0].startswith("lundi ")


def test_the_last_rentree_stands_there_near_a_rentree_alone(earlier, archive):
    for before, visits in (("2025-09-01", 50), ("2025-09-04", 30), ("2026-09-01", 99), ("2026-09-03", 60)):
        archived(archive, date.fromisoformat(before), visits, hours=range(7, 9))

    def said(day):
        return [(one.what, one.visits) for one in earlier.beside(GRAND_EST, minute(date.fromisoformat(day), 7))]

    assert said("2026-09-01") == [("la rentrée du lundi 1er septembre 2025", 50.0)]
    assert said("2026-09-03") == [("le jeudi 4 septembre 2025, à la dernière rentrée", 30.0)]
    assert said("2026-09-08") == [
        ("le mardi 9 septembre 2025, à la dernière rentrée", None)
    ]  # nothing this year is like it yet
    assert said("2026-09-17") == [("le jeudi 10 septembre, dernier jour comparable", None)]
    assert said("2026-08-31") == [("le lundi 24 août, dernier jour comparable", None)]


def test_the_same_time_on_the_clock_over_its_change(earlier, archive):
    archived(archive, date(2026, 10, 12), 20, hours=[7])  # summer time
    assert [one.visits for one in earlier.beside(GRAND_EST, minute(date(2026, 11, 2), 7))] == [20.0]
    assert [one.visits for one in earlier.beside(GRAND_EST, minute(date(2026, 11, 2), 6))] == [None]


def test_the_board_tells_what_no_archive_and_no_like_day_are(earlier):
    def told(sources):
        return _beside(sources, FRANCE, minute(date(2027, 2, 15), 7))

    assert told(SimpleNamespace(earlier=None)) is None
    assert told(SimpleNamespace(earlier=earlier)) == []
