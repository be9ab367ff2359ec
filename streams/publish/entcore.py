"""The event store of Edifice and Open ENT NG servers ("entcore"), one JSON object a line.

    {"event-type":"ACCESS","module":"Conversation","date":1788242592345,"userId":"...","profil":"Student","structures":["..."],"ua":"..."}

`ACCESS` and `CONNECTOR` are uses of a service, `LOGIN` is one of the portal itself; every other type is skipped under its name. `ua` and
`sessionId` are not read: nothing of them leaves the ENT.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import orjson

from streams.publish.fields import (
    NOT_AUTHENTICATED,
    TS_MS_MAX,
    TS_MS_MIN,
    Reading,
    Unreadable,
    Visit,
    code_of,
    kind_of,
    user_of,
)
from streams.publish.lines import OVER_LINES, goes_on

PORTAL = "PAGE_ENT"
#: What is read of an event.
MEMBERS = frozenset(("event-type", "date", "userId", "module", "profil", "structures"))
_MEMBER = re.compile(rb'"\s*:')
_TYPES = {"ACCESS": "NATIF", "CONNECTOR": "TIERS", "LOGIN": "NATIF"}


@dataclass(frozen=True, slots=True)
class EntcoreTables:
    """`services`: module -> service. `profiles`: `profil` -> profile. `structures`: the ENT's id of a structure -> UAI, of one project."""

    services: dict[str, str]
    profiles: dict[str, str]
    structures: dict[str, str]


class EntcoreReader:
    """Reads the lines of one project."""

    def __init__(self, tables: EntcoreTables, project: str) -> None:
        self._tables = tables
        self._project = project

    def read(self, line: bytes) -> Reading:
        """Return what one line is."""
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return Unreadable(OVER_LINES if goes_on(line) else f"not JSON: {error}")
        if not isinstance(document, dict):
            return Unreadable("JSON, but no object")
        if len(_MEMBER.findall(line)) != len(document) and (why := _named_twice(line)):
            return Unreadable(why)
        if why := _named_otherwise(document):
            return Unreadable(why)
        kind = document.get("event-type")
        if not isinstance(kind, str):
            return Unreadable("event-type is absent or no text")
        kind = kind.strip().upper()
        if kind not in _TYPES:
            return kind_of("event-type", kind)
        ts_ms = _milliseconds(document.get("date"))
        if ts_ms is None:
            return Unreadable("date is no number of epoch milliseconds since 2000")
        for name in ("userId", "module", "profil"):
            if not isinstance(document.get(name), str | None):
                return Unreadable(f"{name} is no text")
        user = user_of((document.get("userId") or "").encode())
        if not isinstance(user, str):
            return user or NOT_AUTHENTICATED
        structures = _structures(document.get("structures"))
        if structures is None:
            return Unreadable("structures is no list of ids")
        module, profile = (document.get("module") or "").strip(), (document.get("profil") or "").strip()
        return Visit(
            project=self._project,
            ts_ms=ts_ms,
            user_id=user,
            service=PORTAL if kind == "LOGIN" else self._tables.services.get(module) or code_of(module),
            uai=self._uai(structures),
            profile=self._tables.profiles.get(profile) or code_of(profile),
            type=_TYPES[kind],
            tool=code_of(module),
        )

    def _uai(self, structures: list[str]) -> str | None:
        """The first one that the table knows; where it knows none, the first as it is, so that operators see what is missing."""
        known = (uai for each in structures if (uai := self._tables.structures.get(each)))
        return next(known, None) or (code_of(structures[0]) if structures else None)


def _structures(found: object) -> list[str] | None:
    """The ids, whether written as texts or as numbers; None where they are something else."""
    several = [each for each in (found if isinstance(found, list) else [found]) if each is not None]
    return [str(each) for each in several] if all(type(each) in (str, int) for each in several) else None


def _named_twice(line: bytes) -> str | None:
    """Which member an object has twice: parsers do not agree on which of both is meant."""
    twice: list[str] = []

    def note(members: list[tuple[str, object]]) -> None:
        twice.extend(name for name, number in Counter(name for name, _ in members).items() if number > 1)

    try:
        json.loads(line, object_pairs_hook=note, parse_int=len, parse_float=len)
    except RecursionError:
        return "nested too deeply"
    return f"its member {twice[0][:40]!r} is given twice" if twice else None


@lru_cache(256)
def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


_PLAIN = {_plain(name): name for name in MEMBERS}


def _named_otherwise(document: dict[str, object]) -> str | None:
    """Which member has another name than the store gives it (`userid`, `user_id`): absent, it would mean that nobody was logged in."""
    if document.keys() >= MEMBERS:
        return None
    for given in document:
        meant = _PLAIN.get(_plain(given))
        if meant is not None and meant not in document:
            return f"its member {meant} is written {given[:40]!r}"
    return None


def _milliseconds(date: object) -> int | None:
    if isinstance(date, dict):  # how mongoexport writes a long in its canonical form
        text = date.get("$numberLong")
        date = int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 20 else None
    if isinstance(date, float) and date.is_integer():
        date = int(date)
    return date if type(date) is int and TS_MS_MIN <= date < TS_MS_MAX else None
