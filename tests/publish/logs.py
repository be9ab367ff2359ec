"""Lines of an access log, and what becomes of them."""

from functools import cache

from streams.events import VisitEvent, decode
from streams.publish.event import pseudonym
from streams.publish.formats import FormatOptions, line_reader
from streams.publish.readers import Format, LineReader, Outgoing
from streams.settings import default_config_dir

SECRET = b"0123456789abcdef"
HOST, OTHER = b"ent-0750711.exemple.fr", b"ent.exemple.fr"
TIME = b"01/Sep/2026:07:52:01 +0200"
TS_MS = 1_788_241_921_000
VISIT = ("amélie", "pcn", "COURRIER_ELECTRONIQUE", TS_MS)


def line(
    user: bytes = "amélie".encode(),
    target: bytes = b"/messagerie",
    *,
    front: bytes = HOST + b" 203.0.113.7 -",
    time: bytes = TIME,
    request: bytes | None = None,
    rest: bytes = b'200 5 "-" "M"',
) -> bytes:
    request = b"GET " + target + b" HTTP/1.1" if request is None else request
    return front + b" " + user + b" [" + time + b'] "' + request + b'" ' + rest


@cache
def reader(project: str | None) -> LineReader:
    return line_reader(FormatOptions(Format.COMBINED, project), default_config_dir(), lambda _project: SECRET)()


def read(raw: bytes, project: str | None = None) -> object:
    """What becomes of a line: (visitor, project, service, ts) where it is sent."""
    found = reader(project).read(raw)
    if not isinstance(found, Outgoing):
        return found
    event = decode(found.value)
    assert isinstance(event, VisitEvent)
    return event.visitor, event.project, event.service, event.ts


def visit(user: str, project: str = "pcn", service: str = "COURRIER_ELECTRONIQUE", ts_ms: int = TS_MS) -> object:
    return pseudonym(SECRET, user), project, service, ts_ms
