"""What is kept of minutes and sketches, at any settled time."""

from datetime import UTC, datetime

import pytest

from streams.count.local_dates import LocalDays
from streams.observe import Kept, what_is_kept


def epoch_ms(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def days(catalog):
    return LocalDays(catalog, 0)


def test_minutes_and_their_sketches_are_kept_by_settled_time(days):
    settled_ms = epoch_ms(2026, 9, 1, 6, 4)
    kept = what_is_kept(settled_ms, 72, days)
    minute = settled_ms // 60_000
    assert kept == Kept(minute - 72 * 60, minute - 20, 20260829)
    assert what_is_kept(settled_ms + 59_999, 72, days) == kept
    later = what_is_kept(settled_ms + 60_000, 72, days)
    assert (later.minute, later.sketch_minute) == (kept.minute + 1, kept.sketch_minute + 1)


def test_days_are_those_of_paris(days):
    # 22:00 UTC is midnight in Paris in summer, 23:00 UTC in winter.
    assert what_is_kept(epoch_ms(2026, 8, 31, 21, 59), 72, days).sketch_date == 20260828
    assert what_is_kept(epoch_ms(2026, 8, 31, 22), 72, days).sketch_date == 20260829
    assert what_is_kept(epoch_ms(2027, 1, 1, 22, 59), 72, days).sketch_date == 20261229
    assert what_is_kept(epoch_ms(2027, 1, 1, 23), 72, days).sketch_date == 20261230


def test_days_are_those_of_scenario_time(catalog):
    moved = LocalDays(catalog, -30 * 86_400)
    assert what_is_kept(epoch_ms(2026, 9, 1, 6), 72, moved).sketch_date == 20260730
