"""Days of the past that are imported while an observer runs are read; those that it archives itself are not read again."""

import datetime

from streams.observe.loading import LOOK_SECONDS, Arrivals

TODAY = datetime.date(2026, 9, 1)


def days(*back: int) -> list[datetime.date]:
    return [TODAY - datetime.timedelta(days=each) for each in back]


def test_days_that_came_are_read_once_none_comes_any_more():
    arrivals = Arrivals(days(3), TODAY)
    assert not arrivals.came(days(3))
    assert not arrivals.came(days(3, 10))  # perhaps more come
    assert not arrivals.came(days(3, 10, 9))
    assert arrivals.came(days(3, 10, 9))
    arrivals = Arrivals(days(3, 10, 9), TODAY)
    assert not arrivals.came(days(3, 10, 9))
    assert not arrivals.came(days(3, 10, 9, 8))
    assert arrivals.came(days(3, 10, 9, 8))


def test_days_that_observers_archive_themselves_are_none_of_the_past():
    arrivals = Arrivals([], TODAY)
    for later in range(4):
        assert not arrivals.came(days(*(-each for each in range(later + 1))))


def test_days_that_a_backfill_added_to_are_read_again():
    arrivals = Arrivals(days(3, 4), TODAY, b"")
    assert not arrivals.came(days(3, 4), b"")
    assert not arrivals.came(days(3, 4), b"first")
    assert arrivals.came(days(3, 4), b"first")
    arrivals = Arrivals(days(3, 4), TODAY, b"first")
    assert not arrivals.came(days(3, 4), b"first")


def test_a_day_that_was_removed_is_no_news():
    arrivals = Arrivals(days(3, 4), TODAY)
    assert not arrivals.came(days(4))
    assert not arrivals.came(days(4))


def test_the_directory_is_listed_now_and_then():
    arrivals = Arrivals([], TODAY)
    assert arrivals.is_due(1000.0)
    assert not arrivals.is_due(1000.0 + LOOK_SECONDS / 2)
    assert arrivals.is_due(1000.0 + LOOK_SECONDS)
