"""How much use each day has, by region, project and service: calendar, load shape, and the growth that is built into a simulated past.

The one source of levels: a simulated past and live traffic both ask here.
"""

import datetime
import functools
import math
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from streams.catalog import Catalog, Region
from streams.history import SchoolCalendar
from streams.history.calendar import PACKAGED_ZONES
from streams.history.estimate import day_weight
from streams.load_shape import LoadShape, curve
from streams.simulate.courses import VisitRule, make_courses
from streams.simulate.scenario import Positive, ScenarioTraffic
from streams.yaml_file import convert_section, read_mapping, section_error

_DAY = datetime.timedelta(days=1)


class Period(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Growth between `days` days from `first` and as many from `against`, as ratios of visits.

    `moves` says which of both is changed for it.
    """

    first: datetime.date
    days: Annotated[int, Meta(ge=1, le=366)]
    against: datetime.date
    moves: Literal["first", "against"]
    visits: Positive
    first_day: Positive | None = None
    regions: dict[str, Positive] = {}
    projects: dict[str, Positive] = {}
    groups: dict[str, Positive] = {}
    visioconferences_more: float = 0.0

    @property
    def moved_first(self) -> datetime.date:
        """The first day of the side that is changed."""
        return self.first if self.moves == "first" else self.against

    def ratio(self, region: str) -> float:
        """Growth of a region's visits."""
        return self.regions.get(region, self.visits)


class ProjectDay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A project and the day on which it joins or falls silent."""

    project: str
    day: datetime.date


class PastPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The section `past` of `scenarios.yaml`."""

    last_day: datetime.date
    scale: Annotated[float, Meta(gt=0, le=10)]
    visitors_per_visit: Positive
    stand_in_zone: Literal["A", "B", "C"]
    periods: tuple[Period, ...]
    joins: ProjectDay
    falls_silent: ProjectDay


def load_past(config_dir: Path, catalog: Catalog) -> PastPlan:
    """Read the section.

    Raises:
        SettingsError: it cannot be used; the message says where.
    """
    path = config_dir / "scenarios.yaml"
    problems: list[str] = []
    plan = convert_section(read_mapping(path).get("past"), PastPlan, "past", problems)
    if plan:
        of_periods = (code for period in plan.periods for code in period.projects)
        problems += [
            f"past: project {code} is not in projects.yaml"
            for code in (plan.joins.project, plan.falls_silent.project, *of_periods)
            if code not in catalog.project_codes
        ]
        problems += [
            f"past: {code} is not in services.yaml's published_groups"
            for period in plan.periods
            for code in period.groups
            if code not in catalog.published_groups
        ]
    if problems or plan is None:
        raise section_error(path, problems)
    return plan


def scenario_plan(plan: PastPlan) -> PastPlan:
    """The plan without what would change the year of the scenarios: a lockdown of the year before, for instance."""
    return msgspec.structs.replace(plan, periods=tuple(period for period in plan.periods if period.moves == "against"))


class Levels:
    """Use of a day by region, 1.0 being that of `normal_weekday` in an ordinary week; pure, remembered by day.

    `curve` is the day by local minute, 1.0 at its highest; `rule` says how courses become visits on ordinary days.
    """

    def __init__(
        self,
        catalog: Catalog,
        shape: LoadShape,
        calendar: SchoolCalendar,
        *,
        plan: PastPlan,
        traffic: ScenarioTraffic,
        seed: int,
    ) -> None:
        self.catalog = catalog
        self.shape = shape
        self.curve = curve(shape)
        self.regions: tuple[Region, ...] = tuple(region for region in catalog.regions if region.weight > 0)
        self.rule = VisitRule(make_courses(traffic, traffic.events_per_visit, seed))
        self._peak = traffic.normal_peak_events_per_second
        self._normal = shape.weekday[traffic.normal_weekday]
        self._calendar = calendar
        self._plan = plan
        self._zones = {r.code: r.zone if r.zone in PACKAGED_ZONES else plan.stand_in_zone for r in self.regions}
        self._weights = {region.code: region.weight for region in self.regions}

    def peak(self, region: str) -> float:
        """Events a second of a region where `curve` and `level` are 1, at scale 1."""
        return self._peak * self._weights[region] / sum(self._weights.values())

    def is_active(self, day: datetime.date, project: str) -> bool:
        """Whether a project sends events on a day."""
        joins, silent = self._plan.joins, self._plan.falls_silent
        return not (project == joins.project and day < joins.day) and not (
            project == silent.project and day >= silent.day
        )

    def project_factor(self, day: datetime.date, project: str, region: str) -> float:
        """A project's use against its region's."""
        factors = (
            _moved(period, period.projects[project] / period.ratio(region))
            for period in self._plan.periods
            if project in period.projects and _inside(day, period.moved_first, period.days)
        )
        return next(factors, 1.0)

    @functools.cache  # noqa: B019 - one object a run
    def service_factors(self, day: datetime.date) -> dict[str, float]:
        """Visits of a service for each visit, against those of an ordinary day; services that are not changed are left out."""
        return {
            code: factor
            for period in self._plan.periods
            if _inside(day, period.moved_first, period.days)
            for code, factor in self._service_factors(period).items()
        }

    def _service_factors(self, period: Period) -> dict[str, float]:
        """Of the moved side, against the other: visits of each service a visit."""
        codes = [service.code for service in self.catalog.services]
        shares = np.array([service.weight for service in self.catalog.services])
        weights = dict(zip(codes, self.rule.service_visits_per_visit(shares).tolist(), strict=True))
        found: dict[str, float] = {}
        for group, growth in period.groups.items():
            target = _moved(period, growth)
            members = self.catalog.published_groups[group]
            total = sum(weights[code] for code in members)
            fixed = sum(weights[code] * found[code] for code in members if code in found)
            free = sum(weights[code] for code in members if code not in found)
            for code in members:
                found.setdefault(code, (target * total - fixed) / free if free else 1.0)
        if period.visioconferences_more:
            found["VISIOCONFERENCE"] = _moved(period, self._more(period, weights["VISIOCONFERENCE"]))
        return {code: ratio / _moved(period, period.visits) for code, ratio in found.items()}

    def _more(self, period: Period, per_visit: float) -> float:
        """The ratio of a service that has so many more visits in the first side of a period, at scale 1."""
        days = (period.first + offset * _DAY for offset in range(period.days))
        total = sum(self._weights.values())
        levels = math.fsum(self.level(day, code) * w / total for day in days for code, w in self._weights.items())
        visits_a_day = self._peak * 60 * sum(self.curve) * self.rule.visits_per_course / self.rule.events_per_course
        of_service = levels * visits_a_day * per_visit
        if period.moves == "first":
            return 1 + period.visioconferences_more / (of_service / period.visits)
        return of_service / max(1.0, of_service - period.visioconferences_more)

    def _base(self, day: datetime.date, region: str) -> float:
        return day_weight(self.shape, self._calendar, self._zones[region], day) / self._normal

    @functools.cache  # noqa: B019
    def level(self, day: datetime.date, region: str) -> float:
        """How much use a region has on a day, at a constant perimeter."""
        found = self._base(day, region)
        for index, period in enumerate(self._plan.periods):
            if _inside(day, period.moved_first, period.days):
                first_day, others = self._scales(index, region)
                found *= first_day if day == period.moved_first else others
        return found

    @functools.cache  # noqa: B019
    def _scales(self, index: int, region: str) -> tuple[float, float]:
        """By how much the first day and the other days of a period's moved side are multiplied, so that the ratios come out."""
        period = self._plan.periods[index]
        other_first = period.against if period.moves == "first" else period.first
        moved = [self._base(period.moved_first + offset * _DAY, region) for offset in range(period.days)]
        other = [self.level(other_first + offset * _DAY, region) for offset in range(period.days)]
        whole = sum(other) * _moved(period, period.ratio(region))
        if period.first_day is None:
            return (whole / sum(moved),) * 2
        first = other[0] * _moved(period, period.first_day)
        return first / moved[0], (whole - first) / sum(moved[1:])


def _moved(period: Period, growth: float) -> float:
    """A growth as the ratio of the moved side to the other."""
    return growth if period.moves == "first" else 1 / growth


def _inside(day: datetime.date, first: datetime.date, days: int) -> bool:
    return first <= day < first + days * _DAY
