"""Events that are not as they should be: broken ones with the reason of their rejection, and good ones with an unknown code. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from streams.catalog import CONTROL_LETTERS, UNKNOWN
from streams.events import ID_CHARACTERS_MAX, VALUE_BYTES_MAX, VISITOR_CHARACTERS_MAX, Reason
from streams.simulate.step import CountedPlace

Members = dict[str, object]


@dataclass(frozen=True, slots=True)
class Broken:
    """A way to break an event: `change` is given its members and a random generator and returns the record's value."""

    reason: Reason
    change: Callable[[Members, random.Random], bytes]


def _without(name: str) -> Callable[[Members, random.Random], bytes]:
    return lambda members, _rng: orjson.dumps({key: value for key, value in members.items() if key != name})


def _with(name: str, *values: object) -> Callable[[Members, random.Random], bytes]:
    return lambda members, rng: orjson.dumps(members | {name: rng.choice(values)})


def _half(members: Members, rng: random.Random) -> bytes:
    value = orjson.dumps(members)
    return value[: rng.randrange(1, len(value))]


#: Broken events that are JSON objects, so that `vigie publish` sends them. None of the reasons depends on time.
BROKEN_OBJECTS: tuple[Broken, ...] = (
    *(Broken(Reason.MISSING_MEMBER, _without(name)) for name in ("v", "id", "ts", "visitor")),
    Broken(Reason.ILL_TYPED, _with("v", "1", None, True, [1])),
    Broken(Reason.ILL_TYPED, _with("id", 12345, None, ["a"])),
    Broken(Reason.ILL_TYPED, _with("ts", "1788242592345", "2026-09-01T08:00:00Z", None, {})),
    Broken(Reason.ILL_TYPED, _with("visitor", 4711, None, {"hash": "9f2c"})),
    Broken(Reason.ILL_TYPED, _with("service", 9, ["CAHIER_TEXTES"], True)),
    Broken(Reason.ILL_TYPED, _with("uai", 541234, {"uai": "0541234Y"})),
    Broken(Reason.UNSUPPORTED_VERSION, _with("v", 0, 2, 3, -1)),
    Broken(Reason.EMPTY_MEMBER, _with("id", "")),
    Broken(Reason.EMPTY_MEMBER, _with("visitor", "")),
    Broken(Reason.TOO_LONG, _with("id", "x" * (ID_CHARACTERS_MAX + 1), "é" * 1000)),
    Broken(Reason.TOO_LONG, _with("visitor", "0" * (VISITOR_CHARACTERS_MAX + 1))),
)

#: Those that only a broken publisher could send, beside the others in live traffic.
BROKEN_ANYHOW: tuple[Broken, ...] = (
    *BROKEN_OBJECTS,
    Broken(Reason.EMPTY, lambda _members, _rng: b""),
    Broken(Reason.NOT_JSON, _half),
    Broken(Reason.NOT_JSON, lambda members, _rng: orjson.dumps(members) + b"}"),
    Broken(Reason.NOT_JSON, lambda members, _rng: orjson.dumps(members).replace(b'"visitor":"', b'"visitor":"\xff')),
    Broken(Reason.NOT_OBJECT, lambda members, rng: rng.choice((orjson.dumps([members]), b"null", b"42", b'"event"'))),
    Broken(Reason.TOO_LARGE, _with("padding", "x" * VALUE_BYTES_MAX)),
)


@dataclass(frozen=True, slots=True)
class Odd:
    """What a good event with an unknown code becomes: `members`, and where it counts."""

    members: Members
    place: CountedPlace
    profile: str
    service: str


#: Each kind of unknown code. The values are checked by a test to be in no list.
_UNKNOWN_VALUES: tuple[tuple[str, tuple[object, ...]], ...] = (
    ("service", ("CAHIER_DE_TEXTES", "cahier_textes", "", None)),
    ("project", ("ent_inconnu", "MBN", "", None)),
    ("profile", ("DIRECTEUR", "eleve", "", None)),
    ("uai", ("0991234X", "054123", "0541234y", "", None)),
)


def make_unknown(members: Members, place: CountedPlace, profile: str, service: str, rng: random.Random) -> Odd:
    """Give one member of an event an unknown value, or leave the member out, or spoil the control letter of its UAI."""
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
    if name == "service":
        return Odd(changed, place, profile, UNKNOWN)
    if name == "profile":
        return Odd(changed, place, UNKNOWN, service)
    if name == "project":
        return Odd(changed, CountedPlace(place.region, place.academy, UNKNOWN), profile, service)
    return Odd(changed, CountedPlace(UNKNOWN, UNKNOWN, place.project), profile, service)
