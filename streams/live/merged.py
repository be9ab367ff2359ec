"""Deltas as one call of Redis takes them: those of all partitions added up, in MessagePack."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypeVar

import msgspec

from streams.count import Delta, Field, Sketch, SketchKey
from streams.live.keys import encode_field
from streams.live.unseen import listed

K = TypeVar("K")
_OF_SCHOOLS = (Sketch.REGION_SCHOOLS, Sketch.PROJECT_SCHOOLS)
_pack = msgspec.msgpack.Encoder().encode
_encode = lru_cache(maxsize=1 << 16)(encode_field)


def commands_of(delta: Delta) -> int:
    """About how many commands of Redis a delta costs; a member of a sketch counts as one."""
    sketches = (*delta.minute_sketches.values(), *delta.day_sketches.values())
    return (
        len(delta.without_minute)
        + sum(map(len, delta.minutes.values()))
        + sum(len(members) for of_one in sketches for members in of_one.values())
        + 2 * len(delta.unseen)
    )


def merge(deltas: Iterable[Delta]) -> bytes:
    """MessagePack of `[totals, minutes, sketches of minutes, sketches of days, unseen values]`: `{field: n}`, `{minute: {field: n}}`,
    `{minute: {sketch: [member]}}`, `{date: {sketch: [member]}}`, `{list: {value: n}}`. Totals are those that have no minute.
    """
    totals: dict[Field, int] = {}
    minutes: dict[int, dict[Field, int]] = {}
    minute_sketches: dict[int, dict[SketchKey, list[str]]] = {}
    day_sketches: dict[str, dict[SketchKey, list[str]]] = {}
    unseen: dict[tuple[str, str], int] = {}
    for delta in deltas:
        _add(totals, delta.without_minute)
        _add(unseen, delta.unseen)
        for minute, fields in delta.minutes.items():
            _add(minutes.setdefault(minute, {}), fields)
        for minute, of_minute in delta.minute_sketches.items():
            _extend(minute_sketches.setdefault(minute, {}), of_minute)
        for date, of_day in delta.day_sketches.items():
            _extend(day_sketches.setdefault(date, {}), of_day)
    return _pack(
        [
            _named(totals),
            {minute: _named(fields) for minute, fields in minutes.items()},
            {minute: _named(_without_repeats(sketches)) for minute, sketches in minute_sketches.items()},
            {date: _named(sketches) for date, sketches in day_sketches.items()},
            listed(unseen),
        ]
    )


def _add(sums: dict[K, int], some: Mapping[K, int]) -> None:
    if not sums:
        sums.update(some)
        return
    for key, number in some.items():
        sums[key] = sums.get(key, 0) + number


def _extend(held: dict[SketchKey, list[str]], some: Mapping[SketchKey, list[str]]) -> None:
    for key, members in some.items():
        held.setdefault(key, []).extend(members)


def _without_repeats(sketches: Mapping[SketchKey, list[str]]) -> dict[SketchKey, list[str]]:
    """Establishments repeat over partitions; a visitor is in one partition, whose counter leaves repeats out."""
    return {key: list(dict.fromkeys(some)) if key[0] in _OF_SCHOOLS else some for key, some in sketches.items()}


def _named(by_field: Mapping[Field, K]) -> dict[str, K]:
    return {_encode(field): value for field, value in by_field.items()}
