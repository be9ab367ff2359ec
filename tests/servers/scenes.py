"""Minutes of a believable school morning, written to Redis by the workers' own writer: what the live page is looked at with."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

from streams.catalog import UNKNOWN, Catalog
from streams.count import Delta, Field, Sketch, SketchKey
from tests.servers.observers import Filler

Level = Callable[[int], float]
MINUTES_A_CHUNK = 10


def morning(first: int, minutes: int) -> Level:
    """A level that climbs to a login storm near the end; 1 at the top."""

    def level(minute: int) -> float:
        at = (minute - first) / minutes
        return 0.08 + 0.5 / (1 + math.exp(-14 * (at - 0.72))) + 0.42 * math.exp(-(((at - 0.97) / 0.06) ** 2))

    return level


def minute_counts(
    catalog: Catalog, minute: int, level: float, visits: int, *, mute: frozenset[str] = frozenset()
) -> dict[Field, int]:
    """Counts of one minute by every cut, about `visits` at level 1 in all of France; `mute` holds regions and projects without any."""
    counts: dict[Field, int] = {}

    def add(field: Field, number: float) -> None:
        counts[field] = counts.get(field, 0) + round(number)

    for region in catalog.regions:
        if region.code in mute or not region.weight:
            continue
        wobble = 1 + 0.04 * math.sin(minute * 1.7 + int(region.code)) + 0.03 * math.sin(minute / 3.1 + int(region.code))
        here = visits * level * region.weight * wobble
        add(("v", region.code), here)
        for service in catalog.services:
            add(("e", region.code, service.code), here * 9 * service.weight)
            add(("vs", region.code, service.code), here * min(1, 2.2 * service.weight))
        for academy in region.academies:
            add(("a", academy.code), here * 9 / len(region.academies))
            add(("va", academy.code), here / len(region.academies))
        projects = [p for p in catalog.projects if p.region == region.code and p.code not in mute]
        for project in projects:
            add(("p", project.code), here * 9 / len(projects))
            add(("vp", project.code), here / len(projects))
        if not projects:
            add(("p", UNKNOWN), here * 9)
            add(("vp", UNKNOWN), here)
    return {field: number for field, number in counts.items() if number}


def sketches(catalog: Catalog, minute: int, level: float, people: int) -> dict[tuple[str, ...], list[str]]:
    """Visitors and establishments of one minute."""
    found: dict[tuple[str, ...], list[str]] = {}
    for region in catalog.regions:
        number = round(people * level * region.weight)
        if not number:
            continue
        for academy in region.academies:
            of_academy = max(1, number // len(region.academies))
            found[(Sketch.ACADEMY_USERS, region.code, academy.code)] = [
                f"{academy.code}.{minute}.{n}" for n in range(of_academy)
            ]
        schools = [f"{region.code}.{n}" for n in range(round(region.weight * 9000 * min(1, level * 1.4)))]
        found[(Sketch.REGION_SCHOOLS, region.code)] = schools
        for project in catalog.projects:
            if project.region == region.code:
                found[(Sketch.PROJECT_SCHOOLS, project.code)] = schools[: len(schools) // 3]
    return found


def fill(filler: Filler, catalog: Catalog, first: int, end: int, level: Level, visits: int, *, people: int = 0,
         mute: Callable[[int], frozenset[str]] = lambda _minute: frozenset(), watermark_ms: int | None = None) -> None:  # fmt: skip
    """Write the minutes `first <= minute < end`, a few a chunk; settled up to the end unless `watermark_ms` says otherwise."""
    for begin in range(first, end, MINUTES_A_CHUNK):
        stop = min(end, begin + MINUTES_A_CHUNK)
        minutes = {m: minute_counts(catalog, m, level(m), visits, mute=mute(m)) for m in range(begin, stop)}
        mark_ms = min(stop * 60_000, end * 60_000 if watermark_ms is None else watermark_ms)
        delta = Delta(None, 0, 0, stop * 60_000, mark_ms, 100, minutes, {})
        if people:
            delta.minute_sketches = {m: sketches(catalog, m, level(m), people) for m in minutes if m >= end - 18}
        if people and stop == end:
            regions = {r.code: [f"{r.code}.{n}" for n in range(round(people * 6 * r.weight))] for r in catalog.regions}
            of_day: dict[SketchKey, list[str]] = {
                (Sketch.LOCAL_DAY.value, code): some for code, some in regions.items() if some
            }
            delta.day_sketches = {day: {**of_day} for day in _days(end, filler.place.calendar_shift_seconds)}
        filler.apply(delta)


def _days(end: int, shift_seconds: int) -> set[str]:
    """The local dates that are running anywhere in France."""
    at = end * 60 + shift_seconds
    return {datetime.fromtimestamp(at + hours * 3600, UTC).date().isoformat() for hours in (-6, 0, 6)}
