"""What `make prove-alerts` can show: for each mode the day, what is done to the chain, and who must be called for it."""

from dataclasses import dataclass, field
from typing import Any

#: Tuesday 3 February 2026: school in all zones. Monday 5 January: the first day after Christmas holidays, in all zones.
MONDAY, TUESDAY, FIRST_DAY_BACK = "2026-02-02", "2026-02-03", "2026-01-05"
#: The surge of mode `storm`: ordinary morning, then three times as many visits from then on, for so many minutes.
SURGE_FROM, SURGE_MINUTES = "07:58", 5
#: The project that stops in mode `project`, and when.
PROJECT, REGION, STOPS_AT = "mbn", "44", "08:00"
LIVE_FROM = "07:57"


@dataclass(frozen=True, slots=True)
class Mode:
    """`calls` are the alerts (name, and scope and code where they matter) that somebody must be called for; `may` be told before it, too.

    `scenario` and `changed` are the section of scenarios.yaml that runs and its members that differ, `storm` the login storm of
    load_shape.yaml. `stop` is what is held or killed once some minutes were judged. `fired_within` are the seconds from `clock` (Paris,
    scenario time), or from the stop, to the first call; `resolved`: the end must be told, too. `seconds` is how long is looked, from the
    first judged minute on.
    """

    says: str
    date: str = TUESDAY
    scenario: str = "ordinary"
    changed: dict[str, Any] = field(default_factory=dict)
    storm: dict[str, Any] = field(default_factory=dict)
    stop: str | None = None
    seconds: float = 600
    calls: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    clock: str | None = None
    fired_within: float = 240
    resolved: bool = False


def _morning(**changed: Any) -> dict[str, Any]:
    return {"live_from": LIVE_FROM, "past_minutes": 60, **changed}


MODES: dict[str, Mode] = {
    "ordinary": Mode("an ordinary Monday at eight: nobody is called", MONDAY, changed=_morning(), seconds=540),
    "return": Mode("a first day back at eight: nobody is called", FIRST_DAY_BACK, changed=_morning(), seconds=540),
    "storm": Mode(
        f"three times as many visits for {SURGE_MINUTES} minutes: told within four minutes, and told when it is over",
        changed=_morning(login_storm_multiplier=3.0),
        storm={"start": SURGE_FROM, "minutes": SURGE_MINUTES},
        seconds=1800,
        calls=frozenset({"EntSurge national"}),
        clock=SURGE_FROM,
        resolved=True,
    ),
    "lockdown": Mode(
        "the scenario storm as it is: a lockdown Monday",
        scenario="storm",
        seconds=240,
        calls=frozenset({"EntSurge national"}),
    ),
    "project": Mode(
        f"{PROJECT} sends nothing from {STOPS_AT} on: its silence; it is most of its region, whose drop may be seen a minute before",
        changed=_morning(outage={"project": PROJECT, "first": STOPS_AT, "minutes": 60}),
        seconds=720,
        calls=frozenset({f"EntSilence project {REGION} {PROJECT}"}),
        may=frozenset({f"EntDrop region {REGION}"}),
        clock=STOPS_AT,
        fired_within=420,
    ),
    "detector": Mode(
        "the observer starts again without a detector",
        changed=_morning(),
        stop="detector",
        seconds=540,
        calls=frozenset({"EntDetectorStopped"}),
        fired_within=360,
    ),
    "redis": Mode("Redis is held", changed=_morning(), stop="redis", seconds=300, calls=frozenset({"EntRedisDown"})),
    "kafka": Mode("Kafka is held", changed=_morning(), stop="kafka", seconds=300, calls=frozenset({"EntKafkaDown"})),
    "traffic": Mode(
        "nobody publishes any more", changed=_morning(), stop="simulator", seconds=360, calls=frozenset({"EntNoData"})
    ),
}
