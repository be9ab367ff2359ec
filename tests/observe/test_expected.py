"""What is expected of a service in all of France: the sum of its regions."""

from streams.observe.expected import ExpectedRow, summed, within_parts


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


def france(lower: float, upper: float) -> ExpectedRow:
    return ExpectedRow(10, 1, 11_000.0, 10_000.0, lower, upper, False)


def regions() -> list[list[ExpectedRow]]:
    """Four of 2,500, each between 2,100 and 3,000."""
    return [[ExpectedRow(10, 1, 2_700.0, 2_500.0, 2_100.0, 3_000.0, False)] for _ in range(4)]


def test_the_band_of_france_lies_where_those_of_its_regions_put_it():
    (wide,) = within_parts([france(2_118.0, 31_120.0)], regions())
    assert (wide.lower, wide.upper) == (8_400.0, 12_000.0)  # all stray together
    (narrow,) = within_parts([france(9_990.0, 10_010.0)], regions())
    assert (narrow.lower, narrow.upper) == (9_200.0, 11_000.0)  # each for itself
    between = france(9_000.0, 11_500.0)
    assert within_parts([between], regions()) == [between]


def test_a_region_without_a_band_leaves_the_band_of_france_as_it_is():
    wide = france(2_118.0, 31_120.0)
    unknown = [ExpectedRow(10, 1, 2_700.0, None, None, None, True)]
    assert within_parts([wide], [*regions()[:3], unknown]) == [wide]
    assert within_parts([wide], [*regions()[:3], []]) == [wide]
