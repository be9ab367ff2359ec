"""Sketches of users leave the archive when they are due; counts stay."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date

from streams.errors import InputError
from streams.history.archive import Archive
from streams.history.day_columns import Sketches


def forget_users(
    archive: Archive, before: date, known: Collection[date] = (), most: int = 20
) -> tuple[set[date], bool]:
    """Remove the sketches of users of days before one, but for those `known` to have none, of at most so many days.

    Returns the days that have none now, and whether all were looked at. A file that is damaged, or cannot be read now, is left for
    another time.

    Raises:
        ArchiveError: one cannot be written.
    """
    done, written = set(known), 0
    for day in archive.dates():
        if day >= before or day in done:
            continue
        with archive.locked():
            try:
                reader = archive.open(day)
                if reader is None:
                    continue
                with reader:
                    whole = reader.day() if reader.sketches().users else None
            except InputError:
                continue
            if whole is not None:
                if written == most:
                    return done, False
                written += 1
                archive.write(replace(whole, sketches=Sketches({}, whole.sketches.establishments)))
            done.add(day)
    return done, True
