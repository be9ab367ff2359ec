"""Which days of a long past are worth reading before judging begins. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date

from streams.watch.comparable_days import KeysOf
from streams.watch.judging import DAYS_OF_A_NAME, LOOK_BACK_DAYS

#: A local day is learned from when so much of it is known.
KNOWN_PART_MIN = 0.75


def chosen_days(
    held: Sequence[date], calendars: Collection[KeysOf], first_judged: date
) -> tuple[list[date], list[date]]:
    """(days to learn from, days to judge), each in order, of those that are held.

    Learned from are the days that later ones will be compared with in one of the calendars: eight of each name.
    """
    judged = sorted(day for day in held if day >= first_judged)
    named: list[Counter[object]] = [Counter(keys_of(day).name for day in judged) for keys_of in calendars]
    learned = []
    for day in sorted((day for day in held if day < first_judged), reverse=True):
        if (first_judged - day).days > LOOK_BACK_DAYS:
            break
        names = [keys_of(day).name for keys_of in calendars]
        if any(counter[name] < DAYS_OF_A_NAME for counter, name in zip(named, names, strict=True)):
            learned.append(day)
            for counter, name in zip(named, names, strict=True):
                counter[name] += 1
    return learned[::-1], judged
