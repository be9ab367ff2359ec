"""The one way in which values of Redis become values of Vigie: what Vigie cannot have written is an error that names it.

A stranger's command, a restored dump or a disk that was full leaves anything: no text, half of a JSON object, a number out of all bounds.
Nothing of it may be counted, nor stop a process.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, TypeVar

import msgspec

from streams.clock import MINUTE_MAX, MS_MAX
from streams.count import Cut, Field, PartitionState, Sketch
from streams.decoded_types import known
from streams.errors import StateError
from streams.live.connection import START_OVER

T = TypeVar("T")
#: Redis's own bound of a counter.
INTEGER_MAX = 2**63 - 1
#: A time that was noted on Redis's clock lies no further ahead of it: clocks are set back, by less than this. Settled time, which is the
#: senders', no further than this: everything older would be trimmed.
DAY_MS = 24 * 3_600_000
AHEAD_MS_MAX, SETTLED_AHEAD_MS_MAX = DAY_MS, 10 * 366 * DAY_MS
#: More than any topic has: what is done for each partition ends.
PARTITIONS_MAX = 100_000
SHOWN_CHARACTERS_MAX = 80

#: A counter as a member of a JSON object.
Integer = Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]

#: How many codes follow the cut or the sketch. What is not here, a later version may have added.
_CODES: Mapping[str, int] = {
    Cut.EVENTS: 2,
    Cut.PROJECT: 1,
    Cut.PROFILE: 2,
    Cut.ACADEMY: 1,
    Cut.LATE: 1,
    Cut.REJECTED: 1,
    Cut.NOT_KEPT: 1,
    Cut.LOST: 0,
    Cut.DUPLICATE: 0,
    Cut.VISITS: 1,
    Cut.VISIT_PROJECT: 1,
    Cut.VISIT_PROFILE: 2,
    Cut.VISIT_ACADEMY: 1,
    Cut.SERVICE_VISITS: 2,
    Sketch.ACADEMY_USERS: 2,
    Sketch.PROJECT_USERS: 1,
    Sketch.REGION_SCHOOLS: 1,
    Sketch.PROJECT_SCHOOLS: 1,
    Sketch.LOCAL_DAY: 1,
    Sketch.PARIS_DAY: 1,
}
_STATE = re.compile(r"(\d{1,19}) (\d{1,19}) (\d{1,19}) (\d{1,19})", re.ASCII)


class _Foreign(ValueError):
    """What is wrong with a field."""


def foreign(key: str, entry: str, why: str) -> StateError:
    """The error for an entry (a field, a member, a value) of a key that Vigie cannot have written."""
    shown = entry if len(entry) <= SHOWN_CHARACTERS_MAX else entry[:SHOWN_CHARACTERS_MAX] + "..."
    return StateError(
        f"{key} in Redis holds {shown!r}, which was not written by this version of Vigie ({why}): {START_OVER}"
    )


def integer(text: str, key: str, most: int = INTEGER_MAX) -> int:
    """A number from 0 to `most`.

    Raises:
        StateError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 20 and (number := int(text)) <= most):
        raise foreign(key, text, f"no number from 0 to {most}")
    return number


def minute(text: str, key: str) -> int:
    """An epoch minute, of the same kind."""
    return integer(text, key, MINUTE_MAX)


def score(at: float, key: str, member: str) -> int:
    """The time (epoch ms) that a member of a sorted set is scored by.

    Raises:
        StateError: it is none.
    """
    if not 0 <= at <= MS_MAX:
        raise foreign(f"{key} {member}", str(at), "no time")
    return int(at)


def fields(stored: Mapping[str, str], key: str) -> dict[Field, int]:
    """Counts by field.

    Raises:
        StateError: something is no field of Vigie's, or no count.
    """
    try:
        found = {_field(text): int(number) for text, number in stored.items()}
        numbers = "".join(stored.values())
        if not found or (numbers.isascii() and numbers.isdigit() and max(found.values()) <= INTEGER_MAX):
            return found
    except ValueError:
        pass
    return {field(text, key): integer(number, f"{key} {text}") for text, number in stored.items()}


def field(text: str, key: str) -> Field:
    """A field, or a sketch and its codes: `e:44:CAHIER_TEXTES` -> `("e", "44", "CAHIER_TEXTES")`.

    Raises:
        StateError: it has too few codes, or too many.
    """
    try:
        return _field(text)
    except _Foreign as error:
        raise foreign(key, text, str(error)) from None


@lru_cache(maxsize=100_000)
def _field(text: str) -> Field:
    found = tuple(text.split(":"))
    codes = _CODES.get(found[0])
    if codes is not None and len(found) != codes + 1:
        raise _Foreign(f"{found[0]!r} has {codes} codes, this has {len(found) - 1}")
    if not all(found):
        raise _Foreign("no cut with its codes")
    return found


def json_object(text: str, key: str, entry: str, kind: type[T]) -> T:
    """A JSON object of this type.

    Raises:
        StateError: it is none.
    """
    try:
        return msgspec.json.decode(text, type=known(kind))
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise foreign(f"{key} {entry}", text, str(error)) from error


def past(at_ms: int, now_ms: int, what: str, ahead_ms_max: int = AHEAD_MS_MAX) -> int:
    """A time that was noted before `now_ms`.

    Raises:
        StateError: it was not.
    """
    if at_ms > now_ms + ahead_ms_max:
        raise foreign(what, str(at_ms), f"more than {ahead_ms_max // DAY_MS} days ahead of Redis's clock")
    return at_ms


def first_offset(text: str, key: str, entry: str) -> int:
    """The first offset that was counted of a partition."""
    return _numbers(text, key, entry)[0]


def partition_state(text: str, key: str, entry: str) -> PartitionState:
    """Where a partition stands.

    Raises:
        StateError: it is not as workers write it.
    """
    _first, following, append_ms, watermark_ms = _numbers(text, key, entry)
    return PartitionState(following, append_ms, watermark_ms)


def _numbers(text: str, key: str, entry: str) -> tuple[int, int, int, int]:
    found = _STATE.fullmatch(text)
    if found is not None:
        first, following, append_ms, watermark_ms = map(int, found.groups())
        if first <= following <= INTEGER_MAX and max(append_ms, watermark_ms) <= MS_MAX:
            return first, following, append_ms, watermark_ms
    raise foreign(f"{key} {entry}", text, "not `first next append_ms watermark_ms`")


class Meta(msgspec.Struct, frozen=True):
    """The hash `meta`; what is absent was not written yet."""

    layout: str | None
    catalog: str | None
    topic_id: str | None
    mark: str | None
    partitions: int
    settled_ms: int | None
    trimmed_before: int
    missed_events: int
    sketches_replaced: int
    beside: str | None = None
    continues: str | None = None

    @classmethod
    def of(cls, stored: Mapping[str, str], key: str, now_ms: int) -> "Meta":
        """From what Redis holds at `now_ms` of its clock.

        Raises:
            StateError: a number is none.
        """

        def number(name: str, most: int) -> int:
            return integer(stored.get(name, "0"), f"{key} {name}", most)

        return cls(
            stored.get("layout"),
            stored.get("catalog"),
            stored.get("topic_id"),
            stored.get("applying"),
            number("partitions", PARTITIONS_MAX),
            past(number("settled_ms", MS_MAX), now_ms, f"{key} settled_ms", SETTLED_AHEAD_MS_MAX) or None,
            number("trimmed_before", MINUTE_MAX),
            number("missed_events", INTEGER_MAX),
            number("sketches_replaced", INTEGER_MAX),
            stored.get("beside"),
            stored.get("continues"),
        )
