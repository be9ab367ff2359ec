"""From the bytes of a request to the records for Kafka and the lines that are refused. Pure."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from streams.collect.collector_limits import CollectorLimits, RequestRefused
from streams.events import VALUE_BYTES_MAX, EventBounds, Reason, validate_all
from streams.unpacking import Packing, Unpacked, tool_for

_BLANKS = b" \t\r"
_GZIP = b"\x1f\x8b"


#: One event of a request: the number of its line (from 1, blank ones included), and what was sent.
SentLine = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that is not taken, and why."""

    line: int
    reason: Reason


@dataclass(slots=True)
class ValidatedEvents:
    """What a request holds: `records` are keys and values for Kafka, `accepted` their number by project."""

    records: list[tuple[bytes, bytes]] = field(default_factory=list)
    accepted: Counter[str] = field(default_factory=Counter)
    refused: list[RefusedLine] = field(default_factory=list)


def unpack(body: bytes, bytes_max: int) -> bytes:
    """Unpack gzip.

    Raises:
        RequestRefused: it is none, is damaged, or unpacks to more than `bytes_max`.
    """
    tool = tool_for(body[:2]) if body[:2] == _GZIP else None
    if tool is None:
        raise RequestRefused(400, "the body is not gzip, as its Content-Encoding says")
    try:
        with io.BufferedReader(Unpacked(io.BufferedReader(io.BytesIO(body)), tool)) as unpacked:
            found = unpacked.read(bytes_max + 1)
    except (EOFError, Packing) as error:
        raise RequestRefused(
            400, f"the gzip of the body is damaged or cut off ({str(error) or 'its end is missing'})"
        ) from None
    if len(found) > bytes_max:
        raise RequestRefused(413, f"the body unpacks to more than {bytes_max} bytes: send fewer events at once")
    return found


def split(body: bytes, *, is_one_event: bool, limits: CollectorLimits) -> list[SentLine]:
    """Take a body apart: one event, or one a line.

    Raises:
        RequestRefused: it holds none, or too many.
    """
    if is_one_event:
        value = body.strip(_BLANKS + b"\n")
        lines = [(1, value)] if value else []
    else:
        if body.count(b"\n") > 2 * limits.events_max:
            raise RequestRefused(413, f"more than {limits.events_max} events: send fewer at once")
        stripped = enumerate((line.strip(_BLANKS) for line in body.split(b"\n")), 1)
        lines = [(number, value) for number, value in stripped if value]
    if not lines:
        raise RequestRefused(
            400, "the body holds no event: send one JSON object a line, or a single one as application/json"
        )
    if len(lines) > limits.events_max:
        raise RequestRefused(413, f"{len(lines)} events: send at most {limits.events_max} at once")
    return lines


def validate_lines(
    lines: Sequence[SentLine], projects: tuple[str, ...], bounds: EventBounds, now_ms: int
) -> ValidatedEvents:
    """Hold each event against the contract, as the chain does, and against the projects that its sender speaks for.

    An event that names no project gets the only one; where there are several, or another is named, it is refused.
    """
    events, at, reasons = validate_all([value for _number, value in lines], now_ms, bounds)
    broken = dict(zip(at, reasons, strict=True))
    found = ValidatedEvents()
    good = iter(events)
    only = projects[0] if len(projects) == 1 else None
    for place, (number, value) in enumerate(lines):
        verdict = broken.get(place)
        if verdict is None:
            event = next(good)
            project = event.project
            if project is None and only is not None:
                project, value = only, _named(value, only)
                if len(value) > VALUE_BYTES_MAX:
                    verdict = Reason.TOO_LARGE
            elif project not in projects:
                verdict = Reason.OTHER_PROJECT
        if verdict is not None:
            found.refused.append(RefusedLine(number, verdict))
        else:
            found.records.append((event.visitor.encode(), value))
            found.accepted[project] += 1  # type: ignore[index]  # it is one of `projects`
    return found


def _named(value: bytes, project: str) -> bytes:
    """The event with its project at the end: of two members of one name every reader takes the last, and the rest stays as it was sent."""
    return value[:-1] + b',"project":' + orjson.dumps(project) + b"}"
