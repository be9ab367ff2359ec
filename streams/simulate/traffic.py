"""The generator: events second by second, with repeats, delays, broken and unknown ones mixed in. Deterministic.

The same settings of `ScenarioTraffic` give the same bytes. A second of the clock is generated whole; its events have `ts` within it,
in order.
"""

import itertools
import random
from dataclasses import dataclass
from functools import partial

import orjson

from streams.catalog import Catalog
from streams.events import VERSION
from streams.load_shape import LoadShape
from streams.simulate.courses import make_courses
from streams.simulate.levels import Levels
from streams.simulate.population import Establishments, RegionPopulation, SimulatedVisit, profile_table
from streams.simulate.scenario import Scenario, ScenarioTraffic
from streams.simulate.step import BROKEN_ANYHOW, BROKEN_OBJECTS, Cells, Special, Step, make_unknown
from streams.simulate.visits import Load, Visits, second_random, service_weights

#: Services are drawn with 16 random bits: a weight of 0.001 still has 65 entries.
_SERVICE_TABLE = 1 << 16
_DEVICES = ("ORDINATEUR", "MOBILE", "TABLETTE")
_TOOLS = ("pronote", "moodle", "nextcloud", "bbb")


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """All that the events depend on. `first_s` is the scenario's second of the first step, `shift_seconds` scenario time minus clock.

    `begin_s` is the scenario's second with which the traffic of all runs began, None for traffic that always went on. `clean` leaves
    repeats, delays, broken and unknown events out; `objects_only` keeps to broken events that are JSON objects.
    """

    catalog: Catalog
    shape: LoadShape
    levels: Levels
    traffic: ScenarioTraffic
    scenario: Scenario
    seed: int
    scale: float
    first_s: int
    shift_seconds: int
    run: str
    clean: bool = False
    objects_only: bool = False
    begin_s: int | None = None

    @property
    def load(self) -> Load:
        """The events that are expected of it."""
        perimeter = Establishments(self.catalog, self.traffic, self.seed)
        return Load(self.levels, perimeter, self.traffic, self.scenario, self.scale)


class Generator:
    """Makes the steps of a plan: `next_step()` for each second from `first_s` on. Memory grows with the scale, not with time."""

    def __init__(self, plan: TrafficPlan) -> None:
        self.plan = plan
        self.next_s = plan.first_s
        self.cells = Cells(
            tuple(profile.code for profile in plan.catalog.profiles),
            tuple(service.code for service in plan.catalog.services),
        )
        perimeter = Establishments(plan.catalog, plan.traffic, plan.seed)
        self.load = Load(plan.levels, perimeter, plan.traffic, plan.scenario, plan.scale)
        self._services = _service_table(plan)
        self._second_random = partial(second_random, plan.seed)
        self._visits = Visits(
            self.load,
            _populations(plan, perimeter, self.cells),
            make_courses(plan.traffic, self.load.events_per_visit, plan.seed),
            plan.begin_s,
        )
        self._visits.warm(plan.first_s, self._second_random)
        self._format = b'{"v":%d,"id":"%s-%%d","ts":%%d,%%b,%%b,%%b,"visitor":"%%b"}' % (VERSION, plan.run.encode())
        self._ids = itertools.count(1)
        self._held: dict[int, list[Special]] = {}
        self._broken = BROKEN_OBJECTS if plan.objects_only else BROKEN_ANYHOW

    @property
    def next_clock_s(self) -> int:
        """The second of the clock that the next step fills."""
        return self.next_s - self.plan.shift_seconds

    def next_step(self) -> Step:
        """Generate the next second."""
        scenario_s = self.next_s
        self.next_s += 1
        second = scenario_s - self.plan.shift_seconds
        rng = self._second_random(scenario_s)
        visits = self._visits.advance(scenario_s, rng)
        if self.plan.scenario.is_out(scenario_s):
            visits = [visit for visit in visits if not self._is_of_outage(visit)]
        number = len(visits)
        drawn = memoryview(rng.randbytes(number * 4)).cast("H")
        table = self._services
        services = [table[index] for index in drawn[:number]]
        base = second * 1000
        times = sorted([base + (part * 1000 >> 16) for part in drawn[number:]])
        line = self._format
        values = [
            line % (count, ts, visit[0], service[0], visit[1], visit[2])
            for count, ts, visit, service in zip(self._ids, times, visits, services, strict=False)
        ]
        step = Step(
            second,
            second // 60,
            self._held.pop(second, []),
            [visit[2] for visit in visits],
            values,
            [visit[3] + service[1] for visit, service in zip(visits, services, strict=True)],
        )
        if not self.plan.clean and number:
            self._trouble(step, scenario_s, rng)
        return step

    def _is_of_outage(self, visit: SimulatedVisit) -> bool:
        outage = self.plan.scenario.outage
        return outage is not None and self.cells.names(visit.cell)[0].project == outage.project

    def held_back(self) -> list[Step]:
        """What is still held back (delayed events, repeats), as steps of the seconds after the last; for a file that ends."""
        steps = [Step(second, second // 60, self._held[second], [], [], []) for second in sorted(self._held)]
        self._held.clear()
        return steps

    def _trouble(self, step: Step, scenario_s: int, rng: random.Random) -> None:
        traffic = self.plan.traffic
        retries = self.plan.shape.login_storm.retry_duplicates * self.load.repeat_strength(scenario_s)
        number = len(step.values)
        counts = [
            int(number * share + rng.random())
            for share in (
                max(traffic.repeat_share, retries),
                traffic.delayed_share,
                traffic.broken_share,
                traffic.unknown_share,
            )
        ]
        chosen = iter(rng.sample(range(number), min(number, sum(counts))))
        repeated, delayed, broken, unknown = (list(itertools.islice(chosen, count)) for count in counts)
        for index in unknown:
            self._make_unknown(step, index, rng)
        for index in repeated:
            self._hold(step, index, 1 + int(rng.random() * traffic.repeat_delay_seconds_max), repeat=True)
        for index in delayed:
            self._hold(step, index, 1 + int(rng.random() * traffic.delay_seconds_max), repeat=False)
        for index in broken:
            step.specials.append(self._break(step, index, rng))
        for index in sorted(delayed + broken, reverse=True):
            del step.keys[index], step.values[index], step.cells[index]

    def _hold(self, step: Step, index: int, seconds: int, *, repeat: bool) -> None:
        self._held.setdefault(step.second + seconds, []).append(
            Special(step.keys[index], step.values[index], step.minute, step.cells[index], repeat)
        )

    def _break(self, step: Step, index: int, rng: random.Random) -> Special:
        reason, change = rng.choice(self._broken)
        value = change(orjson.loads(step.values[index]), rng)
        # As a publisher would: the key is the visitor where there is one.
        key = step.keys[index] if value and step.keys[index] in value else None
        return Special(key, value, reason=reason)

    def _make_unknown(self, step: Step, index: int, rng: random.Random) -> None:
        place, profile, service = self.cells.names(step.cells[index])
        members, place, profile, service = make_unknown(orjson.loads(step.values[index]), place, profile, service, rng)
        step.values[index] = orjson.dumps(members)
        step.cells[index] = self.cells.number(place, profile, service)


def _populations(plan: TrafficPlan, perimeter: Establishments, cells: Cells) -> list[RegionPopulation]:
    profiles = profile_table(plan.catalog.profiles, plan.seed)
    secret = f"simulated/{plan.seed}".encode()
    return [
        RegionPopulation(
            region,
            perimeter.establishments[region.code],
            perimeter.active_seats(plan.levels, region.code, plan.scenario.date),
            profiles=profiles,
            cells=cells,
            secret=secret,
        )
        for region in plan.levels.regions
    ]


def _service_table(plan: TrafficPlan) -> list[tuple[bytes, int]]:
    """`_SERVICE_TABLE` entries by the services' weights: the service's members as bytes, and its index."""
    rng = random.Random(f"services/{plan.seed}")
    weights = service_weights(plan.shape, plan.scenario, plan.catalog.services)
    table: list[tuple[bytes, int]] = []
    reached = 0.0
    for index, (code, weight) in enumerate(weights.items()):
        reached += weight
        while len(table) < round(reached * _SERVICE_TABLE):
            table.append((_service_members(plan.traffic, code, rng), index))
    return table


def _service_members(traffic: ScenarioTraffic, code: str, rng: random.Random) -> bytes:
    members = f'"service":"{code}"'
    for name, share, values in (
        ("type", traffic.type_share, ("NATIF", "TIERS")),
        ("tool", traffic.tool_share, _TOOLS),
        ("device", traffic.device_share, _DEVICES),
    ):
        if rng.random() < share:
            members += f',"{name}":"{rng.choice(values)}"'
    return members.encode()
