"""Visits: who begins one in which second, and when within it each event comes.

Everything is a pure function of (seed, second): a simulator that is started again knows the visits that are going on without having seen
them. A visit follows one of a few courses (the seconds of its events after the first), so a going visit costs one tuple and no timer.
"""

from __future__ import annotations

import math
import random

from streams.simulate.population import RegionPopulation, Visit
from streams.simulate.shape import Load

#: Expected numbers are read from the curve every so many seconds.
RATE_SECONDS = 10
#: Above this mean, Poisson numbers are drawn from the normal distribution.
_NORMAL_FROM = 30.0
_DAY_SECONDS = 86_400


def make_courses(number: int, mean_events: float, seconds_max: int, seed: int) -> list[tuple[int, ...]]:
    """`number` courses of about `mean_events` events each: seconds after the beginning, rising, the first 0.

    Most pages follow within a minute, a few after a pause of minutes.
    """
    rng = random.Random(f"courses/{seed}")
    courses = []
    for _ in range(number):
        length = max(2, round(rng.gauss(mean_events, mean_events / 3)))
        second, course = 0, [0]
        while len(course) < length:
            second += 1 + int(rng.expovariate(1 / 150 if rng.random() < 0.1 else 1 / 18))
            if second > seconds_max:
                break
            course.append(second)
        courses.append(tuple(course))
    return courses


def poisson(rng: random.Random, mean: float) -> int:
    """A Poisson number; its spread is what makes minutes look real."""
    if mean > _NORMAL_FROM:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, number = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        number += 1
    return number


class Visits:
    """The visits that go on. `advance` must be called for each second in turn; `warm` does so for those before the first.

    Memory: one tuple and one pseudonym a going visit, for as long as its course lasts.
    """

    def __init__(
        self, load: Load, populations: list[RegionPopulation], courses: list[tuple[int, ...]], about_share: float
    ) -> None:
        self._load = load
        self._populations = populations
        self._courses = courses
        self._about_share = about_share
        self._events_mean = sum(map(len, courses)) / len(courses)
        # One ring a course, as long as the course: what began s seconds ago lies s places behind.
        self._rings: list[list[list[Visit]]] = [[[] for _ in range(course[-1] + 1)] for course in courses]
        self._rates: tuple[int, list[float]] = (-1, [])

    @property
    def seconds_before(self) -> int:
        """How many seconds before the first `advance` must be warmed: the longest course."""
        return max(course[-1] for course in self._courses)

    def warm(self, first: int, rng_of: SecondRandom) -> None:
        """Begin the visits that are going on at scenario second `first`."""
        for second in range(first - self.seconds_before, first):
            self._begin(second, rng_of(second))

    def advance(self, second: int, rng: random.Random) -> list[Visit]:
        """Begin the visits of a scenario second and return the visit of each event that falls into it, in no order that matters."""
        self._begin(second, rng)
        events: list[Visit] = []
        for course, ring in zip(self._courses, self._rings, strict=True):
            size = len(ring)
            for offset in course:
                going = ring[(second - offset) % size]
                if going:
                    events += going
        return events

    def _begin(self, second: int, rng: random.Random) -> None:
        for ring in self._rings:
            ring[second % len(ring)] = []
        slot = second // RATE_SECONDS
        if self._rates[0] != slot:
            self._rates = (slot, self._load.events_per_second(slot * RATE_SECONDS))
        day_part = second % _DAY_SECONDS / _DAY_SECONDS
        for rate, population in zip(self._rates[1], self._populations, strict=True):
            for _ in range(poisson(rng, rate / self._events_mean)):
                # Those who are about are a window that moves over the region's visitors once a day: they come back while it is on them.
                place = day_part + rng.random() * self._about_share
                visit = population.visit(int(place * population.visitors) % population.visitors)
                ring = self._rings[int(rng.random() * len(self._rings))]
                ring[second % len(ring)].append(visit)


class SecondRandom:
    """A random generator of its own for each second, so that no second depends on how many numbers another one drew."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rng = random.Random()

    def __call__(self, second: int) -> random.Random:
        """The generator of a second; valid until the next call."""
        self._rng.seed(f"{self._seed}/{second}")
        return self._rng
