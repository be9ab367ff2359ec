"""One line of an access log in the combined format of Apache and nginx, also with the virtual host or a syslog prefix in front.

203.0.113.7 - 31415 [01/Sep/2026:08:03:12 +0200] "GET /path?x=1 HTTP/1.1" 200 5120 "https://..." "Mozilla/5.0 ..."
ent.example.fr:443 203.0.113.7 - 31415 [...] "..." 200 5120 "..." "..."

Both servers write quotes, backslashes and control characters as escapes. Where one stands as it is, or a second time outside of quotes, two
lines may have run into each other, and what is whose cannot be told.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from streams.publish.fields import TS_MS_MAX, Unreadable, host_of, text_of, unescaped

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_DATE = rb"(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9:]+))"
#: RFC 5424, else RFC 3164 or what rsyslog writes to files: `Nov 29 19:00:00 web1 nginx: `.
_SYSLOG = re.compile(
    rb"(?:<[0-9]{1,3}>)?(?:1 " + _DATE + rb" \S+ \S+ \S+ \S+ (?:-|\[[^\]]*\]) (?:\xef\xbb\xbf)?"
    rb"|" + _DATE + rb" \S+ [^ :\[]+(?:\[[0-9]+\])?: ?)"
)
_LINE = re.compile(
    rb'(?P<head>(?:[^"\\\[]++|\\.|\[|"(?:[^"\\]++|\\.)*+"){1,600}?)(?<= )\[(?P<time>[^\[\]"]{1,40})\] '
    rb'"(?P<request>(?:[^"\\]++|\\.)*+)" (?P<status>[1-5][0-9]{2}|000)(?: ++(?:"(?:[^"\\]++|\\.)*+"|(?!\[[0-9]{2}/)[^ "]++))*+ *'
)
#: What nearly all lines are: nothing escaped, encoded or quoted in the head, one blank between fields, no percent sign in the path. Such
#: a line means what `read_hit` finds in it, at a fraction of the time. What stands before the request comes again and again: it is looked
#: at apart, so that a reader may remember it. Bounds of length bound its memory. For speed, classes name what may stand there, not what may
#: not, and what most lines end in is tried first.
_PLAIN = re.compile(
    rb"((?:[a-z0-9.:-]{1,260}+ )?[0-9.]{1,15}+) - ([!#-Z^-~]{1,250}+) \[([^\]\n]{26})\] "
    rb'"([A-Z]{3,7} /[!$&->@-\[\]-~]{0,400}+)(?:\?[!#-\[\]-~]*+)? HTTP/[0-9](?:\.[0-9])?" ([1-5][0-9]{2})'
    rb'(?: [0-9-]++ "[ !#-\[\]-~\x80-\xff]*+" "[ !#-\[\]-~\x80-\xff]*+")?+(?: (?:[0-9.-]++|"[ !#-\[\]-~\x80-\xff]*+"))*+'
)
#: Matches a line as nearly all are: groups are host with client, user, time, method with path, and status. `read_hit` has to look where
#: this, `place_of_plain` or `ms_of_plain` return None. The path is the target without the query, of which nothing needs to be decoded.
match_plain = _PLAIN.fullmatch
#: The same for each line of a block of whole lines: the line and these five groups, or only what stands in an odd line.
find_plain = re.compile(rb"(?:(" + _PLAIN.pattern + rb")|([^\n]*+))\r?\n").findall
_PLAIN_PLACE = re.compile(rb"(?:([a-z0-9][a-z0-9.-]*+(?::[0-9]++)?+) )?([0-9.]++)")
_PLAIN_TIME = re.compile(rb"[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-5][0-9]:[0-5][0-9] [+-][0-9]{4}")
_FIELD = re.compile(rb'[^ "]+')
#: A user, quoted or not; Apache writes one whose name is empty as `""`.
_USER = re.compile(rb'(?:[^"\\]++|\\.)*+|"((?:[^"\\]++|\\.)*+)"')
#: What another line leaves within a user: its address and ident, or the beginning of its time.
_GLUED = re.compile(rb"(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,40}) - | \[[0-9]{2}/")
_IPV4 = re.compile(rb"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})")
_ADDRESS = re.compile(rb"[0-9.]+(?::[0-9]+)?|\[?[0-9a-f:.]*:[0-9a-f:.]*\]?(?::[0-9]+)?|unknown|-", re.IGNORECASE)
_TIME = re.compile(
    r"([0-9]{2})/([A-Z][a-z]{2})/([0-9]{4}):([0-9]{2}):([0-5][0-9]):([0-5][0-9]|60)(\.[0-9]{1,9})? ([+-])([01][0-9])([0-5][0-9])"
)
_MONTHS = {"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * n : 3 * n + 3]: n + 1 for n in range(12)}
#: A target that holds blanks, which some servers take, is told by the version behind it.
_REQUEST = re.compile(rb"([A-Z][A-Z_-]{0,19}) (?:(\S+)|(\S.*?) +HTTP/[0-9](?:\.[0-9])?)")
_ABSOLUTE = re.compile(rb"https?://(?:[^/?#@]*@)?([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET_MAX = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class Hit:
    """One request, its fields as bytes whose escapes are undone. `host` is None where the line names none, `client` is who asked.

    `method` is empty where the request is none of HTTP, `target` then holds what stands there: `-` for a connection that was closed.
    """

    ts_ms: int
    host: bytes | None
    client: bytes
    user: bytes
    method: str
    target: bytes
    status: int


def read_hit(line: bytes) -> Hit | Unreadable:
    """Return the request of one line, or why there is none."""
    line = line.rstrip()
    if control := _CONTROL.search(line):
        return Unreadable(f"a control character (byte {control[0][0]:#04x}, column {control.start() + 1})")
    prefix = _SYSLOG.match(line)
    found = _LINE.fullmatch(line, prefix.end() if prefix else 0)
    if found is None:
        return Unreadable("not a line of a combined access log")
    ts_ms = _epoch_ms(text_of(found["time"]))
    if ts_ms is None:
        return Unreadable(f"time is not as in 01/Sep/2026:08:03:12 +0200: {text_of(found['time'])!r}")
    who = _who(found["head"][:-1])
    if who is None:
        return Unreadable("the fields before the time are not `address ident user`, nor these after a host")
    host, client, user = who
    request = _REQUEST.fullmatch(unescaped(found["request"]))
    method, target = (request[1].decode(), request[2] or request[3]) if request else ("", found["request"])
    if absolute := _ABSOLUTE.fullmatch(target):
        host, target = absolute[1], absolute[2]
        target = target if target.startswith(b"/") else b"/" + target
    return Hit(ts_ms, host, client, user, method, target, int(found["status"]))


def place_of_plain(place: bytes) -> tuple[bytes | None, bytes] | None:
    """Return host and client of a plain line."""
    found = _PLAIN_PLACE.fullmatch(place)
    if found is None or not _IPV4.fullmatch(found[2]):
        return None
    return found.groups()  # type: ignore[return-value]


def ms_of_plain(time: bytes) -> int | None:
    """Return the epoch milliseconds of a plain line."""
    return _epoch_ms(time.decode()) if _PLAIN_TIME.fullmatch(time) else None


def _who(head: bytes) -> tuple[bytes | None, bytes, bytes] | None:
    """(host, client, user). A user may hold blanks; `ident` is nearly always `-`, which tells where the user begins."""
    front, dash, user = head.partition(b" - ")
    if dash:
        fields = re.sub(rb", +", b",", front).split()  # a proxy's list of addresses is one field
        if user.startswith(b"- "):  # the address is not known, or a dash stands before the ident
            fields, user = [*fields, b"-"] if len(fields) == 1 else fields, user[2:]
    else:
        *fields, _, user = [b"", b"", *head.split()]
        fields = fields[2:]
    name = _USER.fullmatch(user)
    if name is None or _GLUED.search(user) or not 1 <= len(fields) <= 2 or not all(map(_FIELD.fullmatch, fields)):
        return None
    *hosts, client = fields
    if not _may_ask(client, strictly=not dash):
        return None
    host = hosts[0] if hosts and hosts[0] not in (b"-", b"_") else None
    return host, client, unescaped(user if name[1] is None else name[1])


def _may_ask(client: bytes, *, strictly: bool) -> bool:
    """Whether a field is who asks: an address, a list of them, or the name of a host (else whatever stands there)."""
    if b"," in client:
        return all(map(is_address, client.split(b",")))
    if not client.strip(b"0123456789."):
        return _IPV4.fullmatch(client) is not None  # else what was left of one, and the next line
    return not strictly or is_address(client) or host_of(client) is not None


def is_address(field: bytes) -> bool:
    """Whether this is an IP address, with or without a port, or what proxies write where they know none."""
    return _ADDRESS.fullmatch(field) is not None


@lru_cache(1024)  # many lines share a second
def _epoch_ms(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(found[n]) for n in (1, 3, 4, 5, 6))
    leap = second == 60 and minute == 59  # the second after 59, wherever it stands
    offset = timedelta(hours=int(found[9]), minutes=int(found[10])) * (1 if found[8] == "+" else -1)
    try:
        moment = datetime(year, _MONTHS[found[2]], day, hour, minute, second - leap, tzinfo=UTC)
        ms = (moment + timedelta(seconds=leap) - offset - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None
    ms += int(f"{found[7] or '.'}000"[1:4])
    return ms if 0 <= ms < TS_MS_MAX and abs(offset) <= _OFFSET_MAX else None
