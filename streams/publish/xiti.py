"""Hits of the ministry's marking plan as AT Internet's tag sends them: a query string, alone, in a URL, or in a line of an access log.

    /hit.xiti?s=1001&s2=54&p=Cahier_Textes&at=31415&ac=1&x1=9&x2=1&x3=12&x4=3                     the plan of 2012
    /hit.xiti?at=31415&SERVICE=CAHIER_TEXTES&TYPE=NATIF&OUTIL=Pronote&UAI=0541234Y&PROJET=mbn&PROFIL=ELEVE      the later one

2012: s collectivity, s2 establishment, p label of the service, at person, ac and x2 profile, x1 service, x3 project, x4 platform. A hit
carries no time: that of its access-log line is taken, else `at_ms`.
"""

import re
from dataclasses import dataclass, field

from streams.publish.accesslog import read_hit
from streams.publish.fields import (
    NOT_AUTHENTICATED,
    Reading,
    Skip,
    Unreadable,
    Visit,
    breaks_percent,
    code_of,
    kind_of,
    means_nothing,
    path_of,
    percent_decoded,
    user_of,
)

#: A hit that has more parameters is none of the plan's.
PARAMETERS_MAX = 100
#: The parameters that are read.
PARAMETERS = frozenset(("at", "SERVICE", "PROJET", "PROFIL", "UAI", "TYPE", "OUTIL", "p", "ac", "x1", "x2", "x3", "s2"))
_CASELESS = {name.casefold(): name for name in PARAMETERS}
#: A browser that asks whether it may send a hit (`OPTIONS`), and a probe, send none.
_METHODS = ("GET", "POST")
#: The parameters that decide who and where: written otherwise, they would be passed over.
_DECISIVE = ("at", "SERVICE", "PROJET", "UAI", "PROFIL", "x1", "x2", "x3", "s2", "ac")
#: What some programs write around a name: `?at`, `at[]`, `at[0]`; or `at%3Du1`, encoded as a whole.
_AROUND_NAME = re.compile(r"[? ]|\[\w*\]|=.*", re.DOTALL)
_NO_URL = re.compile(rb"[\x00-\x20\x7f\"<>]")


@dataclass(frozen=True, slots=True)
class XitiProject:
    """What one project's ids mean: `services` x1 -> service where this project differs, `establishments` s2 -> UAI."""

    services: dict[str, str] = field(default_factory=dict)
    establishments: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class XitiTables:
    """`ids`: x3 or PROJET -> project. `services`: x1 -> service; `labels`: p -> service; `profiles`: ac, x2 -> profile."""

    ids: dict[str, str]
    services: dict[str, str]
    labels: dict[str, str]
    profiles: dict[str, str]
    projects: dict[str, XitiProject]


class XitiReader:
    """Reads hits; `project` is that of hits which name none, `at_ms` the time of those which carry none."""

    def __init__(self, tables: XitiTables, project: str | None = None, at_ms: int | None = None) -> None:
        self._tables = tables
        self._project = project
        self._at_ms = at_ms

    def read(self, line: bytes) -> Reading:
        """Return what one line is."""
        ts_ms, target = self._at_ms, line.strip()
        if b'] "' in line:
            found = _logged(line)
            if not isinstance(found, tuple):
                return found
            ts_ms, target = found
        elif not _names_a_hit(target) or _NO_URL.search(target):
            return Unreadable("not a hit: a line of an access log, or a URL with hit.xiti?... and nothing around it")
        query = target.partition(b"?")[2].partition(b"#")[0]
        if b"hit.xiti?" in query.lower():
            return Unreadable("two hits in one line")
        values = _parameters(query)
        if isinstance(values, Unreadable):
            return values
        person = user_of(values.get("at", "").encode())
        if not isinstance(person, str):
            return person or NOT_AUTHENTICATED
        if ts_ms is None:
            return Unreadable("a hit carries no time: give --at, or lines of an access log")
        sent = values.get("PROJET") or values.get("x3") or ""
        project = self._tables.ids.get(sent) or self._project
        if project is None:
            return Unreadable(
                f"project {sent[:40]!r} is not in xiti.yaml: add it to `ids` of a project, or give --project"
            )
        return self._visit(values, project, ts_ms, person)

    def _visit(self, values: dict[str, str], project: str, ts_ms: int, person: str) -> Visit:
        own = self._tables.projects.get(project, XitiProject())
        profile = values.get("PROFIL") or values.get("x2") or values.get("ac") or ""
        return Visit(
            project=project,
            ts_ms=ts_ms,
            user_id=person,
            service=code_of(self._service(values, own)),
            uai=code_of(values.get("UAI") or own.establishments.get(values.get("s2", "")) or values.get("s2", "")),
            profile=self._tables.profiles.get(profile) or code_of(profile),
            type=code_of(values.get("TYPE", "")),
            tool=code_of(values.get("OUTIL", "")),
        )

    def _service(self, values: dict[str, str], own: XitiProject) -> str:
        """SERVICE is the later plan's code; else x1 by the project's table, then everybody's; else p by its label."""
        if named := values.get("SERVICE"):
            return named
        number, label = values.get("x1", ""), values.get("p", "")
        known = own.services.get(number) or self._tables.services.get(number) or self._tables.labels.get(label)
        return known or number or label


def _logged(line: bytes) -> tuple[int, bytes] | Skip | Unreadable:
    """The time and the target of a hit in a line of an access log."""
    hit = read_hit(line)
    if isinstance(hit, Unreadable):
        return hit
    if not _names_a_hit(hit.target):
        if b"hit.xiti" in path_of(hit.target).lower().encode():
            return Unreadable("a hit whose parameters do not begin behind a ?")
        return Skip("no hit.xiti")
    if not hit.method:
        return Unreadable("its request is not as in GET /hit.xiti?... HTTP/1.1")
    return (hit.ts_ms, hit.target) if hit.method in _METHODS else kind_of("method", hit.method)


def _names_a_hit(target: bytes) -> bool:
    return path_of(target).lower().endswith("hit.xiti")


def _parameters(query: bytes) -> dict[str, str] | Unreadable:
    """The values of `PARAMETERS` that say something; a `;` is no separator. Where one says two things, nobody knows which is meant."""
    parts = query.split(b"&", PARAMETERS_MAX)
    if len(parts) > PARAMETERS_MAX:
        return Unreadable(f"a hit with more than {PARAMETERS_MAX} parameters")
    if len(parts) == 1 and "at=" in percent_decoded(query)[1:]:
        return Unreadable("its parameters are not separated by &")
    found: dict[str, str] = {}
    other: dict[str, str] = {}
    read_before = False
    for part in parts:
        raw_name, told, raw = part.partition(b"=")
        name = percent_decoded(raw_name).removeprefix("amp;")
        if (
            name == "ref" and b"?" in raw
        ):  # a referrer that is not encoded goes to the end of the query, with its own parameters
            if not found:
                return Unreadable("a referrer that is not encoded comes first: what is whose cannot be told")
            break
        if name and not told and read_before:
            return Unreadable("a value holds an & that is not encoded")
        read_before = name in PARAMETERS
        if not read_before:
            if meant := _CASELESS.get(_AROUND_NAME.sub("", name).casefold()):
                other[meant] = name
            continue
        if breaks_percent(raw):
            return Unreadable(f"its parameter {name} is not well percent-encoded")
        value = percent_decoded(raw.replace(b"+", b" ")).strip()
        if not means_nothing(value) and found.setdefault(name, value) != value:
            return Unreadable(f"its parameter {name} is given twice")
    if wrong := next((name for name in _DECISIVE if name in other and name not in found), None):
        return Unreadable(f"its parameter {wrong} is written {other[wrong][:20]!r}")
    return found
