"""Few users are told as no number, wherever figures are told."""

import pytest

from streams.catalog import Catalog
from streams.cli.minutes import MinuteLines
from streams.expose.minutes_query import read_question
from streams.small_numbers import SmallNumbers


@pytest.mark.parametrize(("users", "told"), [(0, 0), (1, None), (4, None), (5, 5), (6, 6)])
def test_from_the_threshold_on_numbers_are_told_and_nobody_is_nobody(users: int, told: int | None) -> None:
    assert SmallNumbers(5).told(users) == told
    assert SmallNumbers(1).told(users) == users


def test_how_it_is_said() -> None:
    assert (SmallNumbers(5).french, SmallNumbers(20).english) == ("moins de 5", "fewer than 20")


def test_lines_of_minutes_say_it(catalog: Catalog) -> None:
    lines = MinuteLines(read_question(None, None, "none", "users"), catalog, 0, SmallNumbers(5))
    assert lines.row({"minute": "2026-09-01T06:03:00Z", "users": None, "settled": True}).endswith("        < 5")
