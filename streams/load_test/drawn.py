"""Events of an archived day: as many by minute, region, project and service, as many visits; users come back as often. Pure, seeded.

Events and visits by region, by project and by region and service are met exactly. A visitor has one establishment, project and profile
for good; establishments and profiles follow the day's shares. Counts are not known by region *and* project: these are dealt out so that
both sums hold, a project's own region first.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.catalog import UNKNOWN, Catalog, make_uai
from streams.errors import InputError
from streams.history import hll
from streams.history.day_columns import CutName, CutRows, Ints, Key
from streams.history.marks import DayFile
from streams.load_test.load_events import MINUTE_MS, LoadReplay, ReplayMinute
from streams.load_test.load_french import more_than_archived

ESTABLISHMENTS = 64  # made-up ones of a region and project
#: A visit goes on while its visitor is back within this; after that many more it is surely over (events have seconds).
GOES_ON_MINUTES, IS_OVER_MINUTES = 28, 31
_CUTS = (CutName.REGION, CutName.REGION_SERVICE, CutName.PROJECT)
Cell = tuple[str, str]
_NONE: Ints = np.zeros(0, np.int64)


@dataclass(slots=True)
class _Visitors:
    """Those of one region and project: `last` is the minute each was last seen in; who was long gone is `idle` and may come again."""

    first_place: int
    place_chances: NDArray[np.float64]
    ids: Ints = field(default_factory=lambda: _NONE)
    places: Ints = field(default_factory=lambda: _NONE)
    last: Ints = field(default_factory=lambda: _NONE)
    idle_ids: Ints = field(default_factory=lambda: _NONE)
    idle_places: Ints = field(default_factory=lambda: _NONE)

    def retire(self, minute: int) -> None:
        """Those not seen for longer than a visit lasts become idle."""
        over = self.last <= minute - IS_OVER_MINUTES
        if over.any():
            self.idle_ids = np.concatenate([self.idle_ids, self.ids[over]])
            self.idle_places = np.concatenate([self.idle_places, self.places[over]])
            self.ids, self.places, self.last = self.ids[~over], self.places[~over], self.last[~over]

    def begin(self, ids: Ints, places: Ints, minute: int) -> None:
        """Visits of these visitors begin."""
        self.ids, self.places = np.concatenate([self.ids, ids]), np.concatenate([self.places, places])
        self.last = np.concatenate([self.last, np.full(len(ids), minute)])


class DayDrawer:
    """Draws the minutes of a day in order."""

    def __init__(self, day: DayFile, catalog: Catalog, seed: int) -> None:
        if unknown := [cut for cut in _CUTS if not all(mark.knows(cut) for mark in day.hours)]:
            raise InputError(
                f"{day.date} was imported without its counts by {', '.join(unknown)}: choose a day that Vigie counted, or backfilled"
            )
        self._catalog, self._rng = catalog, np.random.default_rng([seed, day.date.toordinal()])
        self._rows = {cut: _by_minute(day.rows[cut]) for cut in _CUTS}
        self._home = {project.code: project.region for project in catalog.projects}
        self._of_departement = {project.code: project.departements for project in catalog.projects}
        self._academies, self._profiles = (_weights(day.rows[cut]) for cut in (CutName.ACADEMY, CutName.PROFILE_REGION))
        self._ratio = _users_a_visit(day)
        self._cells: dict[Cell, _Visitors] = {}
        self._services = {code: number for number, code in enumerate((*catalog.service_codes, UNKNOWN))}
        # Visitors so far, their visits, and of these those that the day did not have.
        self.distinct = self.visits = self.more_visits = 0
        self._seen: dict[str, list[int]] = {}  # region -> [visits, distinct visitors]
        self.places: list[bytes] = []

    @property
    def services(self) -> tuple[bytes, ...]:
        """The services' members."""
        return tuple(b"" if code == UNKNOWN else f'"service":"{code}",'.encode() for code in self._services)

    def minute(self, minute: int, at_ms: int) -> ReplayMinute:
        """The events of an epoch minute, which begins `at_ms` after the replay's start."""
        cuts = [self._rows[cut].get(minute, {}) for cut in (CutName.REGION, CutName.PROJECT)]
        starts, others = (
            _dealt([{key[0]: numbers[part] for key, numbers in rows.items()} for rows in cuts], self._home, self._rng)
            for part in (0, 1)
        )
        services = self._shuffled_services(minute)
        parts = []
        for cell in sorted({*starts, *others}):
            drawn = self._cell(cell, (starts.get(cell, 0), others.get(cell, 0)), minute)
            pool = services.get(cell[0], _NONE)
            count = len(drawn[0])
            of_cell = np.full(count, self._services[UNKNOWN])
            of_cell[: len(pool[:count])] = pool[:count]
            services[cell[0]] = pool[count:]
            parts.append((*drawn, of_cell))
        if not parts:
            return ReplayMinute(_NONE, _NONE, _NONE, _NONE)
        at, visitor, place, service = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(at, kind="stable")
        return ReplayMinute(at[order] + at_ms, visitor[order], place[order], service[order])

    def _shuffled_services(self, minute: int) -> dict[str, Ints]:
        found: dict[str, list[Ints]] = {}
        for (region, service), numbers in self._rows[CutName.REGION_SERVICE].get(minute, {}).items():
            found.setdefault(region, []).append(
                np.full(sum(numbers), self._services.get(service, self._services[UNKNOWN]))
            )
        return {region: self._rng.permutation(np.concatenate(parts)) for region, parts in found.items()}

    def _cell(self, cell: Cell, numbers: tuple[int, int], minute: int) -> tuple[Ints, Ints, Ints]:
        """(at_ms within the minute, visitor, place) of a cell: so many visits that begin, and so many other events."""
        starts, others = numbers
        if (visitors := self._cells.get(cell)) is None:
            visitors = self._cells[cell] = self._made_cell(cell)
        visitors.retire(minute)
        if not starts and others and not (visitors.last >= minute - GOES_ON_MINUTES).any():
            starts, others = 1, others - 1  # there is nobody whose visit could go on
            self.more_visits += 1
        self.visits += starts
        self._begin(cell[0], visitors, starts, minute)
        first_new = len(visitors.ids) - starts
        who = np.flatnonzero(visitors.last >= minute - GOES_ON_MINUTES)
        chosen = who[self._rng.integers(0, len(who), others)] if others else _NONE
        visitors.last[chosen] = minute
        rows = np.concatenate([np.arange(first_new, len(visitors.ids)), chosen])
        # A visitor's earliest event is the one that begins the visit, whichever it is.
        return self._rng.integers(0, MINUTE_MS, len(rows)), visitors.ids[rows], visitors.places[rows]

    def _begin(self, region: str, visitors: _Visitors, starts: int, minute: int) -> None:
        """Visits begin: of visitors who were here before where so many of the day's visits are, else of new ones."""
        seen = self._seen.setdefault(region, [0, 0])
        wanted = self._ratio.get(region, 1.0) * (seen[0] + starts) - seen[1]
        again = min(starts - min(starts, max(0, round(wanted))), len(visitors.idle_ids))
        fresh = starts - again
        back = self._rng.choice(len(visitors.idle_ids), again, replace=False) if again else _NONE
        ids = np.concatenate([visitors.idle_ids[back], np.arange(self.distinct, self.distinct + fresh)])
        drawn = self._rng.choice(len(visitors.place_chances), fresh, p=visitors.place_chances) if fresh else _NONE
        places = np.concatenate([visitors.idle_places[back], drawn + visitors.first_place])
        visitors.idle_ids = np.delete(visitors.idle_ids, back)
        visitors.idle_places = np.delete(visitors.idle_places, back)
        self.distinct += fresh
        seen[0], seen[1] = seen[0] + starts, seen[1] + fresh
        visitors.begin(ids, places, minute)

    def _made_cell(self, cell: Cell) -> _Visitors:
        """Establishments by the academies' shares, each with every profile by the region's."""
        region, project = cell
        uais = self._uais(region, project)
        first = len(self.places)
        profiles = {key[1]: weight for key, weight in self._profiles.items() if key[0] == region} or {UNKNOWN: 1.0}
        chances = np.array(list(profiles.values()))
        for uai, profile in itertools.product(uais, profiles):
            members = {"project": project, "uai": uai, "profile": profile}
            written = (f'"{name}":"{code}",' for name, code in members.items() if code != UNKNOWN)
            self.places.append("".join(written).encode())
        table = np.tile(chances / chances.sum(), len(uais)) / len(uais)
        return _Visitors(first, table / table.sum())

    def _uais(self, region: str, project: str) -> list[str]:
        academies = next((one.academies for one in self._catalog.regions if one.code == region), ())
        own = self._of_departement.get(project, ())
        held = [[d for d in academy.departements if not own or d in own] for academy in academies]
        shares = [self._academies.get((academy.code,), 0.0) for academy in academies]
        chances = np.array([share * bool(own) for share, own in zip(shares, held, strict=True)])
        if not chances.sum():  # a project outside its departements, a day without academies
            held = [list(academy.departements) for academy in academies]
            chances = np.array([float(bool(departements)) for departements in held])
        if not chances.sum():
            return [UNKNOWN]
        chosen = self._rng.choice(len(held), ESTABLISHMENTS, p=chances / chances.sum())
        return [make_uai(str(self._rng.choice(held[place])), int(self._rng.integers(10_000))) for place in chosen]


def draw(day: DayFile, catalog: Catalog, window: tuple[int, int]) -> LoadReplay:
    """The events of a day's epoch minutes `window[0] <= minute < window[1]`.

    Raises:
        InputError: the day was imported without the cuts that are needed, or holds nothing in these minutes.
    """
    drawer = DayDrawer(day, catalog, seed=1)
    minutes = tuple(drawer.minute(minute, (minute - window[0]) * MINUTE_MS) for minute in range(*window))
    left_out = (more_than_archived(drawer.more_visits),) if drawer.more_visits else ()
    made = LoadReplay(minutes, tuple(drawer.places), drawer.services, drawer.visits, f"{day.date}", left_out)
    if not made.events:
        raise InputError(f"nothing was counted on {day.date} in these minutes: choose others with --from and --minutes")
    return made


def busiest(day: DayFile, minutes: int) -> tuple[int, int]:
    """The epoch minutes [first, end) of a day, so many of them, that hold the most events."""
    first, end = day.minutes
    rows = day.rows[CutName.REGION]
    events = np.bincount(rows.minute - first, rows.events, end - first)
    length = min(minutes, end - first)
    begin = first + int(np.argmax(np.convolve(events, np.ones(length), "valid")))
    return begin, begin + length


def _by_minute(rows: CutRows) -> dict[int, dict[Key, tuple[int, int]]]:
    """Minute -> key -> (events that begin a visit, other events)."""
    found: dict[int, dict[Key, tuple[int, int]]] = {}
    columns = (rows.minute.tolist(), rows.series.tolist(), rows.events.tolist(), rows.visits.tolist())
    for minute, series, events, visits in zip(*columns, strict=True):
        found.setdefault(minute, {})[rows.keys[series]] = (starts := min(visits, events), events - starts)
    return found


def _weights(rows: CutRows) -> dict[Key, float]:
    """Events of the day by key."""
    sums = np.bincount(rows.series, rows.events, len(rows.keys))
    return {key: float(events) for key, events in zip(rows.keys, sums, strict=True) if events > 0}


def _users_a_visit(day: DayFile) -> dict[str, float]:
    """Region -> distinct visitors of the day for each visit, where both are known."""
    rows = day.rows[CutName.REGION]
    visits = dict(
        zip((key[0] for key in rows.keys), np.bincount(rows.series, rows.visits, len(rows.keys)), strict=True)
    )
    users = {key[1]: hll.count(sketch) for key, sketch in day.sketches.users.items() if key[0] == "region"}
    return {code: min(1.0, users[code] / visits[code]) for code in users if visits.get(code)}


def _dealt(
    cuts: Sequence[Mapping[str, int]], home: Mapping[str, str | None], rng: np.random.Generator
) -> dict[Cell, int]:
    """(region, project) -> number, so that sums by region and by project hold: a project's own region first, what is left at random.

    What projects lack against the regions has no project; what they have too much is left out.
    """
    regions, projects = cuts
    codes, left = sorted(regions), Counter(regions)
    found: Counter[Cell] = Counter()
    for project, number in sorted(projects.items()):
        own = home.get(project) or ""
        found[own, project] = min(number, left[own])
        left[own] -= found[own, project]
    for project, number in sorted(projects.items()):
        if wanting := min(number - found[home.get(project) or "", project], left.total()):
            shares = rng.multivariate_hypergeometric([left[code] for code in codes], wanting, method="marginals")
            found.update({(code, project): share for code, share in zip(codes, shares.tolist(), strict=True)})
            left.subtract(dict(zip(codes, shares.tolist(), strict=True)))
    found.update({(region, UNKNOWN): number for region, number in left.items()})
    return dict(+found)
