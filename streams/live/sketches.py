"""Distinct users and establishments: unions of the HyperLogLogs that workers fill. Approximate: 0.81 % standard error.

Distinct users never add up: a region is the union of its academies, France the union of its regions, each counted by Redis.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from streams.catalog import UNKNOWN, Catalog
from streams.count import Sketch
from streams.live import checked
from streams.live.connection import Connected, RedisAddress, run
from streams.live.keys import encode_field
from streams.small_numbers import SmallNumbers

#: What the users of one minute may be counted by; `none` is France.
UsersBy = Literal["none", "region", "academy", "project"]


#: `int` of establishments; `int | None` of users, where None is too few to be told (`SmallNumbers`).
Told = TypeVar("Told", bound=int | None)


@dataclass(frozen=True, slots=True)
class Distinct(Generic[Told]):
    """Approximate numbers of distinct members; a code without any is left out."""

    national: Told
    by_region: dict[str, Told] = field(default_factory=dict)
    by_academy: dict[str, Told] = field(default_factory=dict)
    by_project: dict[str, Told] = field(default_factory=dict)


class SketchReader(Connected):
    """Reads sketches; codes that `catalog` does not list are counted with `INCONNU`."""

    def __init__(self, address: RedisAddress, prefix: str, catalog: Catalog, few: SmallNumbers) -> None:
        """`few` decides which numbers of users are too small to be told."""
        super().__init__(address, prefix)
        self.few = few
        self._listed = {
            "region": frozenset(catalog.region_codes),
            "academy": frozenset(catalog.academy_codes),
            "project": frozenset(catalog.project_codes),
        }

    def users(self, first: int, end: int) -> Distinct[int | None]:
        """Distinct visitors of the minutes `first <= epoch minute < end`."""
        groups: dict[tuple[str, str], list[str]] = {}
        for _minute, key, kind, codes in self._held(first, end):
            for scope in self._user_scopes(kind, codes):
                groups.setdefault(scope, []).append(key)
        return self._users(groups)

    def minute_users(self, minutes: Sequence[int], by: UsersBy) -> dict[int, dict[str, int | None]]:
        """Distinct visitors of each of these epoch minutes (ascending) by code; `""` is the code of `none`, None is too few to be told.

        A minute whose sketches are not held any more is left out. One round trip for the names, one for all the numbers.
        """
        wanted = "national" if by == "none" else by
        groups: dict[tuple[int, str], list[str]] = {}
        asked = frozenset(minutes)
        for minute, key, kind, codes in self._held(minutes[0], minutes[-1] + 1) if minutes else ():
            for scope, code in self._user_scopes(kind, codes):
                if scope == wanted and minute in asked:
                    groups.setdefault((minute, code), []).append(key)
        found: dict[int, dict[str, int | None]] = {}
        for (minute, code), number in zip(groups, self._numbers(groups.values()), strict=True):
            if number:
                found.setdefault(minute, {})[code] = self.few.told(number)
        return found

    def establishments(self, first: int, end: int) -> Distinct[int]:
        """Distinct establishments (UAI) seen in the minutes `first <= epoch minute < end`."""
        groups: dict[tuple[str, str], list[str]] = {}
        for _minute, key, kind, codes in self._held(first, end):
            if kind == Sketch.REGION_SCHOOLS:
                for scope in (("national", ""), ("region", self._known("region", codes[0]))):
                    groups.setdefault(scope, []).append(key)
            elif kind == Sketch.PROJECT_SCHOOLS:
                groups.setdefault(("project", self._known("project", codes[0])), []).append(key)
        return self._count(groups)

    def day_users(
        self, local_dates: Mapping[str, str], paris_date: str, overseas: Collection[str]
    ) -> Distinct[int | None]:
        """Distinct visitors of a day: of each region on its own date (`2026-09-01`), of France on the date in Paris.

        `overseas` regions, whose day is not the day in Paris, have a sketch of their own for France's; the others have one for both.
        """
        groups: dict[tuple[str, str], list[str]] = {("national", ""): []}
        for region, date in local_dates.items():
            groups[("region", region)] = [self._day(date, Sketch.LOCAL_DAY, region)]
            kind = Sketch.PARIS_DAY if region in overseas else Sketch.LOCAL_DAY
            groups[("national", "")].append(self._day(paris_date, kind, region))
        return self._users(groups)

    def _day(self, date: str, kind: Sketch, region: str) -> str:
        return f"{self._base}day:{date}:{encode_field((kind, region))}"

    def _known(self, list_name: str, code: str) -> str:
        return code if code in self._listed[list_name] else UNKNOWN

    def _user_scopes(self, kind: str, codes: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """The figures that one sketch of a minute's visitors is part of."""
        if kind == Sketch.ACADEMY_USERS:
            region, academy = codes
            of_region, of_academy = self._known("region", region), self._known("academy", academy)
            return (("national", ""), ("region", of_region), ("academy", of_academy))
        return (("project", self._known("project", codes[0])),) if kind == Sketch.PROJECT_USERS else ()

    def _held(self, first: int, end: int) -> Iterator[tuple[int, str, str, list[str]]]:
        """Minute, key, kind and codes of each sketch held of these minutes."""
        names: Any = self._redis.zrangebyscore(self._base + "sketches", first, f"({end}")
        for name in names:
            minute, _, sketch = name.partition(":")
            kind, *codes = checked.field(sketch, self._base + "sketches")
            yield checked.minute(minute, self._base + "sketches"), f"{self._base}sketch:{name}", kind, codes

    def _numbers(self, unions: Collection[list[str]]) -> list[int]:
        pipeline = self._redis.pipeline(transaction=False)
        for keys in unions:
            pipeline.pfcount(*keys)
        return run(self._redis, pipeline) if unions else []

    def _users(self, groups: Mapping[tuple[str, str], list[str]]) -> Distinct[int | None]:
        """`_count`, without numbers that are too small."""
        found, told = self._count(groups), self.few.told
        by_code = [
            {code: told(number) for code, number in numbers.items()}
            for numbers in (found.by_region, found.by_academy, found.by_project)
        ]
        return Distinct(told(found.national), *by_code)

    def _count(self, groups: Mapping[tuple[str, str], list[str]]) -> Distinct[int]:
        found: dict[str, dict[str, int]] = {"national": {}, "region": {}, "academy": {}, "project": {}}
        for (kind, code), number in zip(groups, self._numbers(groups.values()), strict=True):
            if number:
                found[kind][code] = number
        return Distinct(found["national"].get("", 0), found["region"], found["academy"], found["project"])
