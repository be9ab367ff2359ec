"""A week by establishment, as the ministry publishes it: visits and distinct users, by profile and by service. From logs, in one batch.

No cut of what is counted live has establishments, so events are looked at one week and project at a time. An event starts a visit when its
visitor was not seen in the project within the 30 minutes before it; the visit belongs to the establishment and profile of that event. A
visit of a service is the same for a visitor and a service. An id that comes twice in the week counts once. What came up to 30 minutes
before the week is read first.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from streams.backfill.spill import Ints, events_held, read_steps
from streams.catalog import UNKNOWN, Catalog
from streams.clock import MINUTE_MS, paris_day
from streams.count.memory import VISIT_GAP_MS
from streams.errors import InputError
from streams.events import VisitEvent, decode
from streams.history.weekly import SchoolWeek

#: More events of one project in one week do not fit into memory: about 150 bytes each.
WEEK_EVENTS_MAX = 30_000_000


def schools_of_week(
    catalog: Catalog, runs: Sequence[Path], projects: Iterable[int], monday: date
) -> dict[str, SchoolWeek]:
    """The week of each establishment (UAI as sent) that had any visit, of all these projects.

    Raises:
        InputError: more events in one minute, or of one project, than fit into memory.
    """
    found: dict[str, SchoolWeek] = {}
    for project in projects:
        if (columns := _columns(catalog, runs, project, monday)) is not None:
            _count(found, columns, catalog, paris_day(monday)[0] * MINUTE_MS)
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class _Columns:
    """Events in order of their time; `schools` are numbers of `names`, profiles and services of the catalog's codes."""

    names: list[str]
    ts: Ints
    visitors: Ints
    schools: Ints
    profiles: Ints
    services: Ints


def _columns(catalog: Catalog, runs: Sequence[Path], project: int, monday: date) -> _Columns | None:
    first, end = paris_day(monday)[0], paris_day(monday + timedelta(days=6))[1]
    if (held := events_held(runs, project, first, end)) > WEEK_EVENTS_MAX:
        raise InputError(
            f"{catalog.project_codes[project]} has {held:,} events in the week of {monday}, and {WEEK_EVENTS_MAX:,} fit into "
            "memory: take its establishments in two runs"
        )
    profiles, services = _numbers(catalog.profile_codes), _numbers(catalog.service_codes)
    names: dict[str, int] = {}
    rows: list[Ints] = []
    seen: set[bytes] = set()
    for ts, values in read_steps(runs, project, first - VISIT_GAP_MS // MINUTE_MS, end):
        block = []
        for ms, value in zip(ts, values, strict=True):
            one = decode(value)
            assert isinstance(one, VisitEvent), "runs hold events that keep the contract"
            ident = hashlib.blake2b(one.id.encode(), digest_size=8).digest()
            if ident in seen:
                continue
            seen.add(ident)
            visitor = int.from_bytes(hashlib.blake2b(one.visitor.encode(), digest_size=8).digest(), signed=True)
            school = names.setdefault(one.uai or UNKNOWN, len(names))
            profile = profiles.get(one.profile or "", profiles[UNKNOWN])
            block.append((ms, visitor, school, profile, services.get(one.service or "", services[UNKNOWN])))
        if block:
            rows.append(np.array(block, np.int64))
    if not rows:
        return None
    table = np.concatenate(rows)
    return _Columns(list(names), *(np.ascontiguousarray(table[:, column]) for column in range(5)))


def _numbers(codes: Sequence[str]) -> dict[str, int]:
    return {code: number for number, code in enumerate(codes)}


def _count(found: dict[str, SchoolWeek], columns: _Columns, catalog: Catalog, from_ms: int) -> None:
    inside = columns.ts >= from_ms
    visits = _starts(columns.ts, columns.visitors) & inside
    of_service = _starts(columns.ts, columns.visitors, columns.services) & inside
    size = len(columns.names)
    for school, number in enumerate(np.bincount(columns.schools[visits], minlength=size).tolist()):
        found.setdefault(columns.names[school], SchoolWeek()).visits += number
    for school, number in enumerate(_distinct(columns.schools[inside], columns.visitors[inside], size)):
        found[columns.names[school]].users += number
    for codes, numbers, starts in (
        (catalog.profile_codes, columns.profiles, visits),
        (catalog.service_codes, columns.services, of_service),
    ):
        width = len(codes)
        both = columns.schools * width + numbers
        told = np.bincount(both[starts], minlength=size * width).tolist()
        users = _distinct(both[inside], columns.visitors[inside], size * width)
        for place, (number, people) in enumerate(zip(told, users, strict=True)):
            if number or people:
                week, code = found[columns.names[place // width]], codes[place % width]
                week.visits_by[code] = week.visits_by.get(code, 0) + number
                week.users_by[code] = week.users_by.get(code, 0) + people


def _starts(ts: Ints, *who: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which events lie a gap after the one before them of the same visitor (and service)."""
    order = np.lexsort((ts, *who[::-1]))
    same = np.ones(len(ts), bool)
    for column in who:
        same[1:] &= column[order][1:] == column[order][:-1]
    same[0] = False
    gap = np.diff(ts[order], prepend=0)
    found = np.zeros(len(ts), bool)
    found[order] = ~same | (gap >= VISIT_GAP_MS)
    return found


def _distinct(groups: Ints, members: Ints, size: int) -> list[int]:
    """How many different members each group has."""
    if not len(groups):
        return [0] * size
    pairs = np.unique(np.stack([groups, members]), axis=1)
    counted: list[int] = np.bincount(pairs[0], minlength=size).tolist()
    return counted


def known_schools(found: Mapping[str, SchoolWeek], catalog: Catalog) -> tuple[dict[str, SchoolWeek], int]:
    """Those whose number is one, and the visits of all others."""
    known = {uai: week for uai, week in found.items() if catalog.uai_index[uai][0] != UNKNOWN}
    return known, sum(week.visits for uai, week in found.items() if uai not in known)
