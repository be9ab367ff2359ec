"""Many weeks of figures in bounded memory: what is spilled to disk comes back as it was."""

from datetime import date

from streams.history.weeks import NOTHING, WeekSpool

MONDAY, NEXT = date(2026, 9, 7), date(2026, 9, 14)
CODES = [("profile", "ELEVE"), ("service", "NOTES"), ("profile", "PARENT")]


def _filled(held_max: int) -> WeekSpool:
    spool = WeekSpool(CODES, held_max)
    for number in range(50):
        for first in (MONDAY, NEXT):
            spool.add(first, f"054{number:04d}X", number * 2 + (first == NEXT), [number, NOTHING, 1000 + number])
    return spool


def test_what_is_spilled_comes_back() -> None:
    in_memory, on_disk = _filled(1 << 20), _filled(23)
    assert dict(in_memory) == dict(on_disk)
    assert list(on_disk) == [(MONDAY, "profile"), (MONDAY, "service"), (NEXT, "profile"), (NEXT, "service")]
    assert on_disk[NEXT, "profile"]["0540007X"] == {"ELEVE": 7, "PARENT": 1007}
    assert on_disk[NEXT, "service"]["0540007X"] == {}
    assert on_disk.get((date(2026, 9, 21), "profile")) is None
    assert on_disk.twice() is None


def test_a_week_that_stands_twice_is_found_across_what_was_spilled() -> None:
    spool = _filled(23)
    spool.add(NEXT, "0540003X", 777, [1, 2, 3])
    spool.add(MONDAY, "0540001X", 900, [1, 2, 3])
    assert spool.twice() == (777, "0540003X", 7)
