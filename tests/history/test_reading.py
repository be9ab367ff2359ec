"""Ranges of files on one grid; what was not measured is not zero."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from streams.catalog import Catalog
from streams.clock import paris_day
from streams.errors import InputError
from streams.history.archive import Archive
from streams.history.day_columns import CutName, Sketches
from streams.history.reading import History
from tests.history.days_made import DAY, FIRST_HOUR, reading

BEGIN = FIRST_HOUR * 60


@pytest.fixture
def history(tmp_path: Path, catalog: Catalog) -> History:
    archive = Archive(tmp_path)
    archive.prepare(simulated=False)
    archive.update(DAY, [reading(7), reading(8, 51, measured=30), reading(10, 3)], Sketches.none())
    return History(archive, catalog)


def test_minutes_by_region(history: History) -> None:
    panel = history.panel("region", "events", BEGIN, BEGIN + 1440)
    assert panel.keys == (("44",), ("84",))
    row = panel.values[0]
    assert np.isnan(row[: 7 * 60]).all()
    assert (row[7 * 60 : 8 * 60] == 90).all()
    assert (row[8 * 60 : 8 * 60 + 30] == 51).all()
    assert np.isnan(row[8 * 60 + 30 : 10 * 60]).all()
    assert (panel.share[7 * 60 : 8 * 60 + 30] == 1).all()


def test_hours_and_days_hold_what_is_known_of_them(history: History) -> None:
    panel = history.panel("national", "visits", BEGIN, BEGIN + 1440, 60)
    assert panel.keys == ((),)
    assert panel.values[0, 7:11].tolist() == pytest.approx([60 * 60, 30 * 34, np.nan, 60 * 2], nan_ok=True)
    assert panel.share[7:11].tolist() == [1, 0.5, 0, 1]
    whole = history.panel("national", "events", BEGIN, BEGIN + 1440, 1440)
    assert whole.values.tolist() == [[2 * (90 * 60 + 51 * 30 + 3 * 60)]]
    assert whole.share.tolist() == [150 / 1440]


def test_a_measured_minute_without_events_is_zero(history: History) -> None:
    panel = history.panel("region_service", "visits", BEGIN + 600, BEGIN + 660, region="84")
    assert panel.keys == (("84", "ABSENCES"), ("84", "NOTES"))
    assert panel.values.sum() == 0
    assert panel.share.all()


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("zone", (("A",), ("B",))),
        ("service", (("ABSENCES",), ("NOTES",))),
        ("family", (("gestion",),)),
        ("region_family", (("44", "gestion"), ("84", "gestion"))),
        ("project", (("mbn",),)),
        ("profile", (("ELEVE",),)),
        ("profile_region", (("ELEVE", "44"), ("ELEVE", "84"))),
        ("academy", (("12",),)),
    ],
)
def test_every_grouping_holds_all_events(history: History, by: str, keys: tuple[tuple[str, ...], ...]) -> None:
    panel = history.panel(by, "events", BEGIN + 420, BEGIN + 480, 60)
    assert panel.keys == keys
    assert panel.values.sum() == 90 * 2 * 60


def test_what_cannot_be_asked_is_refused(history: History) -> None:
    with pytest.raises(InputError, match="no figures by 'school'"):
        history.panel("school", "events", 0, 1)
    with pytest.raises(InputError, match="no measure 'users'"):
        history.panel("region", "users", 0, 1)
    with pytest.raises(InputError, match="at least one, at most"):
        history.panel("region", "events", BEGIN - 100_000_000, BEGIN + 1440)
    with pytest.raises(InputError, match="at least one, at most"):
        history.panel("region", "events", BEGIN, BEGIN)


def test_days_have_their_own_length() -> None:
    lengths = {
        day: (paris_day(day)[1] - paris_day(day)[0]) // 60 for day in (DAY, date(2026, 10, 25), date(2026, 3, 29))
    }
    assert list(lengths.values()) == [24, 25, 23]


def test_days(history: History) -> None:
    (day,) = history.days(DAY - timedelta(days=1), DAY + timedelta(days=1))
    assert (day.date, day.measured_minutes) == (DAY, 150)
    assert int(day.rows[CutName.PROJECT].events.sum()) == 2 * (90 * 60 + 51 * 30 + 3 * 60)
