"""One line of an access log in the combined format of Apache and nginx, also with the virtual host in front.

203.0.113.7 - 31415 [01/Sep/2026:08:03:12 +0200] "GET /path?x=1 HTTP/1.1" 200 5120 "https://..." "Mozilla/5.0 ..."
ent.example.fr:443 203.0.113.7 - 31415 [...] "..." 200 5120 "..." "..."
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from streams.publish.emitted import TS_MS_MAX, Unreadable

_LINE = re.compile(
    r'(?P<head>[^\[\]"]{1,600}) \[(?P<time>[^\]]{1,40})\] "(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) '
)
_TIME = re.compile(r"(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})")
_MONTHS = {"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * n : 3 * n + 3]: n + 1 for n in range(12)}
_REQUEST = re.compile(r"(?P<method>[A-Z]{1,20}) (?P<target>\S+)(?: HTTP/\d(?:\.\d)?)?")
_ABSOLUTE = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hit:
    """One request. `host` is None where the line names none, `user` where nobody was authenticated; `target` is path and query.

    Both `method` and `target` are empty where there was none: a connection that was closed (`"-" 408`), or no HTTP at all.
    """

    ts_ms: int
    host: str | None
    user: str | None
    method: str
    target: str
    status: int


def text_of(raw: bytes) -> str:
    """Decode a line or a value: UTF-8, else Latin-1, so that two different users never become one by a replacement character."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def read_hit(text: str) -> Hit | Unreadable:
    """Return the request of one line, or why there is none."""
    found = _LINE.match(text)
    if found is None:
        return Unreadable("not a line of a combined access log")
    ts_ms = _epoch_ms(found["time"])
    if ts_ms is None:
        return Unreadable(f"time is not as in 01/Sep/2026:08:03:12 +0200: {found['time']!r}")
    who = _who(found["head"].split(" "))
    if who is None:
        return Unreadable("the fields before the time are not `address ident user`, nor these after a host")
    host, user = who
    request = _REQUEST.fullmatch(found["request"])
    method, target = (request["method"], request["target"]) if request else ("", "")
    if absolute := _ABSOLUTE.fullmatch(target):
        host, target = absolute[1], absolute[2] or "/"
    return Hit(ts_ms, _bare(host), user, method, target, int(found["status"]))


def _who(fields: list[str]) -> tuple[str | None, str | None] | None:
    """(host, user). A user may hold spaces; `ident` is nearly always `-`, which tells where the user begins."""
    if len(fields) < 3:
        return None
    if len(fields) == 3 or fields[1] == "-":
        host, user = None, " ".join(fields[2:])
    elif len(fields) == 4 or fields[2] == "-":
        host, user = fields[0], " ".join(fields[3:])
    else:
        return None
    return host, None if user in ("-", "", '""') else user


def _bare(host: str | None) -> str | None:
    """Without its port, in small letters."""
    return re.sub(r":\d+$", "", host).lower() if host else None


@lru_cache(1024)  # many lines share a second
def _epoch_ms(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(found[n]) for n in (1, 3, 4, 5, 6))
    offset = timedelta(hours=int(found[8]), minutes=int(found[9])) * (1 if found[7] == "+" else -1)
    try:
        moment = datetime(year, _MONTHS[found[2]], day, hour, minute, second, tzinfo=timezone(offset))
    except ValueError:
        return None
    ms = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1000
    return ms if 0 <= ms < TS_MS_MAX else None
