"""Visits: how many begin in a second of a scenario, who begins one, and when within it each event comes. Pure.

Everything is a pure function of (seed, second): a simulator that is started again knows the visits that are going on without having seen
them. A visitor's use follows one of a few courses, so a going one costs one tuple and no timer.
"""

import datetime
import math
import random
from collections.abc import Callable
from zoneinfo import ZoneInfo

from streams.catalog import Region, Service
from streams.clock import PARIS
from streams.load_shape import LoadShape, LoginStorm
from streams.simulate.courses import Course
from streams.simulate.levels import Levels
from streams.simulate.population import Establishments, RegionPopulation, SimulatedVisit
from streams.simulate.scenario import Scenario, ScenarioTraffic

#: The login storm rises over this part of its length and falls over the rest.
STORM_RISE_SHARE = 0.2


def storm_strength(storm: LoginStorm, local: datetime.datetime) -> float:
    """How strong the login storm is, 0 to 1, at a local time; there is none at weekends."""
    minute = local.hour * 60 + local.minute + local.second / 60 - storm.start_minute
    if local.weekday() >= 5 or not 0 <= minute < storm.minutes:
        return 0.0
    rise = storm.minutes * STORM_RISE_SHARE
    return minute / rise if minute < rise else (storm.minutes - minute) / (storm.minutes - rise)


def service_weights(shape: LoadShape, scenario: Scenario, services: tuple[Service, ...]) -> dict[str, float]:
    """Share of the events by service; in a lockdown some services gain at the others' cost."""
    uplift = shape.lockdown_service_uplift if scenario.day == "lockdown" else {}
    raw = {service.code: service.weight * uplift.get(service.code, 1.0) for service in services}
    total = sum(raw.values())
    return {code: weight / total for code, weight in raw.items()}


class Load:
    """Events a second by region, at a scenario's time, at one scale. Pure: the same arguments give the same numbers.

    The projects are those of the scenario's day, whatever the time.
    """

    def __init__(
        self, levels: Levels, perimeter: Establishments, traffic: ScenarioTraffic, scenario: Scenario, scale: float
    ) -> None:
        self.regions: tuple[Region, ...] = levels.regions
        self.events_per_visit = scenario.events_per_visit or traffic.events_per_visit
        self._levels = levels
        self._scenario = scenario
        self._zones = [ZoneInfo(region.timezone) for region in self.regions]
        more = scale * self.events_per_visit / traffic.events_per_visit
        if scenario.day == "lockdown":
            more *= levels.shape.lockdown_factor
        self._peaks = [
            levels.peak(code) * more * sum(share for _part, share in perimeter.active(levels, code, scenario.date))
            for code in (region.code for region in self.regions)
        ]

    def events_per_second(self, scenario_s: int) -> list[float]:
        """Expected events a second of each of `regions` at a scenario time (epoch seconds), repeats left out."""
        return [self._rate(index, scenario_s) for index in range(len(self.regions))]

    def repeat_strength(self, scenario_s: int) -> float:
        """How much of `retry_duplicates` applies in metropolitan France: 1 in a storm of the configured height, 0 outside storms."""
        storm = self._levels.shape.login_storm
        inside = storm_strength(storm, datetime.datetime.fromtimestamp(scenario_s, PARIS)) > 0
        return min(1.0, (self._scenario.login_storm_multiplier - 1) / (storm.peak_multiplier - 1)) if inside else 0.0

    def _rate(self, index: int, scenario_s: int) -> float:
        local = datetime.datetime.fromtimestamp(scenario_s, self._zones[index])
        factor = self._levels.level(local.date(), self.regions[index].code)
        storm = storm_strength(self._levels.shape.login_storm, local)
        factor *= 1 + (self._scenario.login_storm_multiplier - 1) * storm
        return self._peaks[index] * self._levels.curve[local.hour * 60 + local.minute] * factor


#: Expected numbers are read from the curve every so many seconds.
RATE_SECONDS = 10
#: Above this mean, Poisson numbers are drawn from the normal distribution.
_NORMAL_FROM = 30.0
#: Those who begin in a second also began in some second of the hour that lies six hours before. So nobody comes back before five hours are
#: over, and nothing of the last use matters any more.
CYCLE_HOURS = 6
_HOUR_SECONDS = 3600
#: Coprime to an hour's seconds: a multiplier that deals the people of an hour's seconds out to other seconds.
_STEPS = (1, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43)


def poisson(rng: random.Random, mean: float) -> int:
    """A Poisson number; its spread is what makes minutes look real."""
    if mean > _NORMAL_FROM:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, number = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        number += 1
    return number


def slot_of(second: int) -> int:
    """Whose turn it is in a second: 0 to `CYCLE_HOURS` * 3600 - 1."""
    hour, rest = divmod(second, _HOUR_SECONDS)
    step = _STEPS[hour // CYCLE_HOURS % len(_STEPS)]
    return hour % CYCLE_HOURS * _HOUR_SECONDS + rest * step % _HOUR_SECONDS


class Visits:
    """The courses that go on. `advance` must be called for each second in turn; `warm` does so for those before the first.

    `begin_s` is the scenario's second at which the traffic of the whole simulation began (None: it always went on). Of the visits that
    went on at that time nothing is sent: their visitors came before anybody counted, and would be taken for visitors that arrive.
    Memory: one tuple and one pseudonym a going course, for as long as it lasts.
    """

    def __init__(
        self, load: Load, populations: list[RegionPopulation], courses: list[Course], begin_s: int | None = None
    ) -> None:
        self._load = load
        self._populations = populations
        self._courses = courses
        self._begin_s = begin_s
        self._events_mean = sum(len(course.seconds) for course in courses) / len(courses)
        # One ring a course, as long as the course: what began s seconds ago lies s places behind.
        self._rings: list[list[list[SimulatedVisit]]] = [
            [[] for _ in range(course.seconds[-1] + 1)] for course in courses
        ]
        self._rates: tuple[int, list[float]] = (-1, [])

    def warm(self, first: int, rng_of: Callable[[int], random.Random]) -> None:
        """Begin the courses that are going on at scenario second `first`: none is longer than the longest."""
        for second in range(first - max(course.seconds[-1] for course in self._courses), first):
            self._begin(second, rng_of(second))

    def advance(self, second: int, rng: random.Random) -> list[SimulatedVisit]:
        """Begin the courses of a scenario second and return the visit of each event that falls into it, in no order that matters."""
        self._begin(second, rng)
        events: list[SimulatedVisit] = []
        # Only visits that began this many seconds ago or later have events.
        since = math.inf if self._begin_s is None else second - self._begin_s
        for course, ring in zip(self._courses, self._rings, strict=True):
            for offset, begun in zip(course.seconds, course.begun, strict=True):
                if offset - begun <= since:
                    events += ring[(second - offset) % len(ring)]
        return events

    def _begin(self, second: int, rng: random.Random) -> None:
        for ring in self._rings:
            ring[second % len(ring)] = []
        time = second // RATE_SECONDS
        if self._rates[0] != time:
            self._rates = (time, self._load.events_per_second(time * RATE_SECONDS))
        slot = slot_of(second)
        for rate, population in zip(self._rates[1], self._populations, strict=True):
            for number in range(poisson(rng, rate / self._events_mean)):
                ring = self._rings[int(rng.random() * len(self._rings))]
                ring[second % len(ring)].append(population.visit(slot, number))


def second_random(seed: int, second: int) -> random.Random:
    """A random generator of its own for each second, so that no second depends on how many numbers another one drew."""
    return random.Random(f"{seed}/{second}")
