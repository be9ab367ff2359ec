"""What is expected of a service in all of France: the sum of its regions."""

from __future__ import annotations

from streams.observe.expected import ExpectedRow, summed


def row(minute, observed, expected, *, learning=False):
    known = expected is not None
    return ExpectedRow(
        minute, 5, observed, expected, expected / 2 if known else None, expected * 2 if known else None, learning
    )


def test_rows_of_the_same_minutes_are_added_up():
    found = summed([[row(10, 5.0, 4.0), row(15, 6.0, 8.0)], [row(15, 1.0, 2.0)]])
    assert found == [ExpectedRow(10, 5, 5.0, 4.0, 2.0, 8.0, False), ExpectedRow(15, 5, 7.0, 10.0, 5.0, 20.0, False)]
    assert summed([]) == []


def test_a_region_of_which_nothing_can_be_expected_counts_as_it_came():
    (one,) = summed([[row(10, 5.0, 10.0)], [row(10, 4.0, None)]])
    assert (one.observed, one.expected, one.lower, one.upper) == (9.0, 14.0, 9.0, 24.0)
    (most_unknown,) = summed([[row(10, 5.0, 10.0)], [row(10, 40.0, None)]])
    assert (most_unknown.observed, most_unknown.expected, most_unknown.learning) == (45.0, None, True)


def test_a_minute_that_nobody_measured_has_no_row():
    assert summed([[row(10, None, 10.0)], [row(10, None, 4.0)]]) == []


def test_it_learns_while_most_of_it_is_still_learned():
    parts = [[row(10, 5.0, 10.0, learning=True)], [row(10, 5.0, 30.0)]]
    assert not summed(parts)[0].learning
    assert summed([*parts, [row(10, 5.0, 30.0, learning=True)]])[0].learning
