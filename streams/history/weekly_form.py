"""A week by establishment in the form of the ministry's weekly open data, and held against such a file. Pure."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import IO

from streams.catalog import Catalog, departement_of
from streams.history.weeks import Figures


@dataclass(slots=True)
class SchoolWeek:
    """One establishment's week: visits and users in all, and by code of a profile or service; a code that nobody used is absent."""

    visits: int = 0
    users: int = 0
    visits_by: dict[str, int] = field(default_factory=dict)
    users_by: dict[str, int] = field(default_factory=dict)


def write_form(rows: Mapping[str, SchoolWeek], monday: date, catalog: Catalog, out: IO[str]) -> None:
    """Write a file as a person downloads it: a byte order mark, `;`, one line an establishment."""
    places = {region.code: region.name for region in catalog.regions}
    academies = {academy.code: academy.name for region in catalog.regions for academy in region.academies}
    profiles = [(profile.code, profile.column) for profile in catalog.profiles if profile.column]
    measured = [*profiles, *((service.code, service.column) for service in catalog.services if service.column)]
    out.write("\ufeff")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    names = ["globales", *(column for _code, column in measured)]
    writer.writerow(
        [
            "debutsemaine",
            "uai",
            "academie",
            "region",
            "departement",
            *(f"{what}_{name}" for name in names for what in ("visites", "utilisateurs")),
        ]
    )
    for uai, row in sorted(rows.items()):
        region, academy = catalog.uai_index[uai]
        figures = [row.visits, row.users]
        for code, _column in measured:
            figures += [row.visits_by.get(code, 0), row.users_by.get(code, 0)]
        writer.writerow(
            [monday, uai, academies.get(academy, ""), places.get(region, ""), departement_of(uai), *figures]
        )


@dataclass(frozen=True, slots=True)
class SchoolDifference:
    """One establishment's visits by profile, ours and theirs (None: it is in one of both alone), and the code that differs most."""

    uai: str
    ours: int | None
    theirs: int | None
    most: str
    most_ours: int
    most_theirs: int

    @property
    def size(self) -> int:
        """How many visits lie between both."""
        return abs((self.ours or 0) - (self.theirs or 0))


def differences(
    rows: Mapping[str, SchoolWeek], weeks: Mapping[tuple[date, str], Figures], monday: date
) -> list[SchoolDifference]:
    """Where both differ, the largest difference first. Held against one another are the sums by profile, or by service where a file has
    none by profile.
    """
    kind = "profile" if (monday, "profile") in weeks else "service"
    theirs = weeks.get((monday, kind), {})
    codes = sorted({code for of_school in theirs.values() for code in of_school})
    found = []
    for uai in sorted({*rows, *theirs}):
        ours = {code: rows[uai].visits_by.get(code, 0) for code in codes} if uai in rows else None
        given = theirs.get(uai)
        both = [(code, (ours or {}).get(code, 0), (given or {}).get(code, 0)) for code in codes]
        most = max(both, key=lambda each: abs(each[1] - each[2]), default=("", 0, 0))
        one = SchoolDifference(
            uai, None if ours is None else sum(ours.values()), None if given is None else sum(given.values()), *most
        )
        if one.size or any(ours != theirs for _code, ours, theirs in both):
            found.append(one)
    return sorted(found, key=lambda one: (-one.size, one.uai))
