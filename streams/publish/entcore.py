"""The event store of Edifice and Open ENT NG servers ("entcore"), one JSON object a line.

    {"event-type":"ACCESS","module":"Conversation","date":1788242592345,"userId":"...","profil":"Student","structures":["..."],"ua":"..."}

`ACCESS` and `CONNECTOR` are uses of a service, `LOGIN` is one of the portal itself; every other type is skipped under its name. `ua` and
`sessionId` are not read: nothing of them leaves the ENT.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from streams.publish.emitted import NOT_AUTHENTICATED, TS_MS_MAX, Reading, Unreadable, Visit, code_of, kind_of
from streams.publish.lines import OVER_LINES, goes_on

PORTAL = "PAGE_ENT"
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
        kind = document.get("event-type")
        if not isinstance(kind, str):
            return Unreadable("event-type is absent or no text")
        if kind not in _TYPES:
            return kind_of("event-type", kind)
        ts_ms = _milliseconds(document.get("date"))
        if ts_ms is None:
            return Unreadable("date is no number of epoch milliseconds")
        user_id = document.get("userId")
        if user_id is None or user_id == "":
            return NOT_AUTHENTICATED
        if not isinstance(user_id, str):
            return Unreadable("userId is no text")
        try:
            user_id.encode()
        except UnicodeEncodeError:  # pragma: no cover  # orjson refuses lone surrogates; another parser might not
            return Unreadable("userId is no Unicode text")
        module = document.get("module")
        name = module if isinstance(module, str) else ""
        profile = document.get("profil")
        return Visit(
            project=self._project,
            ts_ms=ts_ms,
            user_id=user_id,
            service=PORTAL if kind == "LOGIN" else self._tables.services.get(name) or code_of(name),
            uai=self._uai(document.get("structures")),
            profile=(self._tables.profiles.get(profile) or code_of(profile)) if isinstance(profile, str) else None,
            type=_TYPES[kind],
            tool=code_of(name),
        )

    def _uai(self, structures: object) -> str | None:
        """The first one that the table knows; where it knows none, the first as it is, so that operators see what is missing."""
        found = [each for each in structures if isinstance(each, str)] if isinstance(structures, list) else []
        for each in found:
            if uai := self._tables.structures.get(each):
                return uai
        return code_of(found[0]) if found else None


def _milliseconds(date: object) -> int | None:
    if isinstance(date, dict):  # how mongoexport writes a long in its canonical form
        text = date.get("$numberLong")
        date = int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 20 else None
    if isinstance(date, float) and date.is_integer():
        date = int(date)
    return date if type(date) is int and 0 <= date < TS_MS_MAX else None
