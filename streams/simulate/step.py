"""What the generator hands over for one second of traffic, the cells in which its events count, and events that are not as they should be.

A cell is one integer, so that counting a second of traffic is one `Counter.update` of integers.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import orjson

from streams.catalog import CONTROL_LETTERS, UNKNOWN
from streams.events import ID_CHARACTERS_MAX, VALUE_BYTES_MAX, VISITOR_CHARACTERS_MAX, Reason


@dataclass(frozen=True, slots=True)
class CountedPlace:
    """Where an establishment counts; each member is a code, `INCONNU` for one the chain cannot know."""

    region: str
    academy: str
    project: str


class Cells:
    """Numbers (place, profile, service) triples; places are registered as they appear, the other two lists are closed."""

    def __init__(self, profiles: tuple[str, ...], services: tuple[str, ...]) -> None:
        self.profiles = (*profiles, UNKNOWN)
        self.services = (*services, UNKNOWN)
        self._places: list[CountedPlace] = []
        self._numbers: dict[CountedPlace, int] = {}

    def number(self, place: CountedPlace, profile: str = "", service: str = "") -> int:
        """The cell of a triple; without a service (or profile) the first cell of the place, to which their indices are added."""
        if place not in self._numbers:
            self._numbers[place] = len(self._places)
            self._places.append(place)
        number = self._numbers[place] * len(self.profiles)
        if profile:
            number += self.profiles.index(profile)
        return number * len(self.services) + (self.services.index(service) if service else 0)

    def names(self, cell: int) -> tuple[CountedPlace, str, str]:
        """The place, profile code and service code of a cell."""
        rest, service = divmod(cell, len(self.services))
        place, profile = divmod(rest, len(self.profiles))
        return self._places[place], self.profiles[profile], self.services[service]


@dataclass(frozen=True, slots=True)
class Special:
    """A record that is not simply counted in its step's minute: a repeat, a delayed event (`reason` None), or a broken one."""

    key: bytes | None
    value: bytes
    minute: int = 0
    cell: int = 0
    repeat: bool = False
    reason: Reason | None = None


@dataclass(slots=True)
class Step:
    """One second of the clock: `specials` first (what was held back is older), then the regular events in the order of their `ts`.

    `keys`, `values` and `cells` go together; all regular events lie in the epoch minute `minute`.
    """

    second: int
    minute: int
    specials: list[Special]
    keys: list[bytes]
    values: list[bytes]
    cells: list[int]

    def __len__(self) -> int:
        return len(self.specials) + len(self.values)

    def cut(self, number: int) -> "Step":
        """The first `number` records of the step."""
        regular = max(0, number - len(self.specials))
        return Step(
            self.second,
            self.minute,
            self.specials[:number],
            self.keys[:regular],
            self.values[:regular],
            self.cells[:regular],
        )


Members = dict[str, object]


#: Breaks an event: it is given the members and a random generator, and returns the record's value.
Change = Callable[[Members, random.Random], bytes]
#: Why the chain rejects an event, and a way to break one so.
Broken = tuple[Reason, Change]


def _without(name: str) -> Change:
    return lambda members, _rng: orjson.dumps({key: value for key, value in members.items() if key != name})


def _with(name: str, *values: object) -> Change:
    return lambda members, rng: orjson.dumps(members | {name: rng.choice(values)})


def _half(members: Members, rng: random.Random) -> bytes:
    value = orjson.dumps(members)
    return value[: rng.randrange(1, len(value))]


#: Broken events that are JSON objects, so that `vigie publish` sends them. None of the reasons depends on time.
BROKEN_OBJECTS: tuple[Broken, ...] = (
    *((Reason.MISSING_MEMBER, _without(name)) for name in ("v", "id", "ts", "visitor")),
    (Reason.ILL_TYPED, _with("v", "1", None, True, [1])),
    (Reason.ILL_TYPED, _with("id", 12345, None, ["a"])),
    (Reason.ILL_TYPED, _with("ts", "1788242592345", "2026-09-01T08:00:00Z", None, {})),
    (Reason.ILL_TYPED, _with("visitor", 4711, None, {"hash": "9f2c"})),
    (Reason.ILL_TYPED, _with("service", 9, ["CAHIER_TEXTES"], True)),
    (Reason.ILL_TYPED, _with("uai", 541234, {"uai": "0541234Y"})),
    (Reason.UNSUPPORTED_VERSION, _with("v", 0, 2, 3, -1)),
    (Reason.EMPTY_MEMBER, _with("id", "")),
    (Reason.EMPTY_MEMBER, _with("visitor", "")),
    (Reason.TOO_LONG, _with("id", "x" * (ID_CHARACTERS_MAX + 1), "é" * 1000)),
    (Reason.TOO_LONG, _with("visitor", "0" * (VISITOR_CHARACTERS_MAX + 1))),
)

#: Those that only a broken publisher could send, beside the others in live traffic.
BROKEN_ANYHOW: tuple[Broken, ...] = (
    *BROKEN_OBJECTS,
    (Reason.EMPTY, lambda _members, _rng: b""),
    (Reason.NOT_JSON, _half),
    (Reason.NOT_JSON, lambda members, _rng: orjson.dumps(members) + b"}"),
    (Reason.NOT_JSON, lambda members, _rng: orjson.dumps(members).replace(b'"visitor":"', b'"visitor":"\xff')),
    (Reason.NOT_OBJECT, lambda members, rng: rng.choice((orjson.dumps([members]), b"null", b"42", b'"event"'))),
    (Reason.TOO_LARGE, _with("padding", "x" * VALUE_BYTES_MAX)),
)


#: Each kind of unknown code. The values are checked by a test to be in no list.
_UNKNOWN_VALUES: tuple[tuple[str, tuple[object, ...]], ...] = (
    ("service", ("CAHIER_DE_TEXTES", "cahier_textes", "", None)),
    ("project", ("ent_inconnu", "MBN", "", None)),
    ("profile", ("DIRECTEUR", "eleve", "", None)),
    ("uai", ("0991234X", "054123", "0541234y", "", None)),
)


def make_unknown(
    members: Members, place: CountedPlace, profile: str, service: str, rng: random.Random
) -> tuple[Members, CountedPlace, str, str]:
    """Give one member of an event an unknown value, or leave the member out, or spoil the control letter of its UAI.

    Returns the members, and the place, profile and service under which the event counts.
    """
    name, values = rng.choice(_UNKNOWN_VALUES)
    draw = rng.random()
    changed = dict(members)
    if draw < 0.2:
        del changed[name]
    elif name == "uai" and draw < 0.6:
        uai = str(members["uai"])
        changed["uai"] = uai[:7] + rng.choice(CONTROL_LETTERS.replace(uai[7], ""))
    else:
        changed[name] = rng.choice(values)
    counted = {
        "service": (place, profile, UNKNOWN),
        "profile": (place, UNKNOWN, service),
        "project": (replace(place, project=UNKNOWN), profile, service),
        "uai": (CountedPlace(UNKNOWN, UNKNOWN, place.project), profile, service),
    }
    return changed, *counted[name]
