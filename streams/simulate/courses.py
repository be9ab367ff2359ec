"""How a visitor's use goes on: courses, and what follows from them for every minute's expected events, visits and visits of services.

A *course* is the seconds at which a visitor's events come after the first one. Most courses are one visit; in a few the visitor pauses and
comes back, within 30 minutes (the same visit by the ministry's rule) or later (another one). No visitor begins a course while one of
before could still matter, so that what courses begin in which minute is all that the counts follow from: `VisitRule` says how. Pure.
"""

import random
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streams.simulate.scenario import ScenarioTraffic

Floats = NDArray[np.float64]
#: The ministry's rule: a gap of so many seconds starts a new visit.
GAP_SECONDS = 30 * 60
#: Pauses of those who come back last from so many seconds on.
PAUSE_SECONDS_MIN = 600
#: One event in ten follows after minutes, the others within seconds.
_LONG_SHARE, _LONG_SECONDS, _SHORT_SECONDS = 0.1, 150, 18


@dataclass(frozen=True, slots=True)
class Course:
    """`seconds` of the events after the first, rising from 0; `begun` has for each of them when its visit began."""

    seconds: tuple[int, ...]
    begun: tuple[int, ...]

    @staticmethod
    def of(seconds: tuple[int, ...]) -> "Course":
        """With the visits by the ministry's rule."""
        begun = [0]
        for before, second in pairwise(seconds):
            begun.append(second if second - before >= GAP_SECONDS else begun[-1])
        return Course(seconds, tuple(begun))


def make_courses(traffic: ScenarioTraffic, mean_events: float, seed: int) -> list[Course]:
    """`visit_courses` courses of about `mean_events` events each."""
    rng = random.Random(f"courses/{seed}")
    returns = round(traffic.visit_courses * traffic.return_share)
    courses = []
    for number in range(traffic.visit_courses):
        length = max(2, round(rng.gauss(mean_events, mean_events / 3)))
        seconds = _stretch(rng, length, traffic.visit_seconds_max)
        if number < returns:
            # Evenly spread, so that whatever the seed some come back within the gap and some after it.
            part = (number + 0.5) / returns
            pause = round(PAUSE_SECONDS_MIN + part * (traffic.pause_seconds_max - PAUSE_SECONDS_MIN))
            half = max(1, len(seconds) // 2)
            seconds = (*seconds[:half], *(second + pause for second in seconds[half:]))
        courses.append(Course.of(seconds))
    return courses


def _stretch(rng: random.Random, length: int, seconds_max: int) -> tuple[int, ...]:
    second, found = 0, [0]
    while len(found) < length:
        second += 1 + int(rng.expovariate(1 / (_LONG_SECONDS if rng.random() < _LONG_SHARE else _SHORT_SECONDS)))
        if second > seconds_max:
            break
        found.append(second)
    return tuple(found)


class VisitRule:
    """What is expected of a minute, given how many courses begin in it and in the minutes before.

    `starts` of the methods are the courses that begin in each minute, from `lead` minutes before the first minute that is asked for.
    What is returned has one column a minute that is asked for.
    """

    def __init__(self, courses: list[Course]) -> None:
        self.lead = courses_minutes = max(course.seconds[-1] for course in courses) // 60 + 1
        ranks = max(len(course.seconds) for course in courses)
        #: (events of the same visitor within the gap before, minutes after the course began), for one course.
        self._ranked = np.zeros((ranks, courses_minutes + 1))
        self._visits = np.zeros(courses_minutes + 1)
        for course in courses:
            for place, (second, begun) in enumerate(zip(course.seconds, course.begun, strict=True)):
                before = sum(second - other < GAP_SECONDS for other in course.seconds[:place])
                for minute, part in _minutes(second):
                    self._ranked[before, minute] += part / len(courses)
                    self._visits[minute] += (part if begun == second else 0.0) / len(courses)
        self.events_per_course = float(self._ranked.sum())
        self.visits_per_course = float(self._visits.sum())
        #: Variance of a minute's events over their mean: those of one visitor come together.
        self.events_dispersion = _dispersion(courses)
        #: ... beyond what follows from when courses begin, each bringing what courses bring in the mean: no course is like another.
        self.heaps = max(0.0, self.events_dispersion - self._dispersion_of_means())

    def events(self, starts: Floats) -> Floats:
        """Events of each minute."""
        return np.convolve(starts, self._ranked.sum(axis=0), "valid")

    def visits(self, starts: Floats) -> Floats:
        """Visits that begin in each minute, by the ministry's rule."""
        return np.convolve(starts, self._visits, "valid")

    def returns(self, starts: Floats) -> Floats:
        """Visits of those who come back after the gap: all visits but those with which courses begin."""
        later = self._visits.copy()
        later[0] -= 1.0
        return np.convolve(starts, later, "valid")

    def service_visits(self, starts: Floats, shares: Floats) -> Floats:
        """(services, minutes): visits of each service, of which each event is one with its share."""
        # No product of matrices: its threads wait for one another where several processes make days.
        return np.stack([np.convolve(starts, uses, "valid") for uses in self._first_uses(shares)])

    def service_visits_per_visit(self, shares: Floats) -> Floats:
        """(services): of each visit, how many are visits of the service."""
        return np.asarray(self._first_uses(shares).sum(axis=1) / self.visits_per_course)

    def _dispersion_of_means(self) -> float:
        """`events_dispersion`, if each course had a Poisson number of events around the mean course's in each minute."""
        others = self._ranked.sum(axis=0) - self._visits
        begun = np.zeros_like(others)
        begun[0] = 1.0
        square = ((begun + others) ** 2).sum() + others.sum() + (self._visits - begun).sum()
        return float(square / self.events_per_course)

    def _first_uses(self, shares: Floats) -> Floats:
        """(services, minutes after the course began): events of a service of which none was used within the gap before."""
        column = np.asarray(shares, np.float64)[:, None]
        return np.asarray((column * (1.0 - column) ** np.arange(len(self._ranked))[None, :]) @ self._ranked)


def _minutes(second: int) -> tuple[tuple[int, float], tuple[int, float]]:
    """An event so many seconds after a start anywhere in a minute: (minutes later, probability)."""
    minute, rest = divmod(second, 60)
    return (minute, 1 - rest / 60), (minute + 1, rest / 60)


def _dispersion(courses: list[Course]) -> float:
    seconds = [np.array(course.seconds) for course in courses]
    counts = np.concatenate([np.bincount((some + phase) // 60) for some in seconds for phase in range(60)])
    return float((counts**2).sum() / counts.sum())
