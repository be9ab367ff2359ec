"""Values that no list knows, the same for `vigie unseen` and `/api/v1/unseen`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from streams.clock import iso_utc
from streams.live import LiveReader


@dataclass(frozen=True, slots=True)
class UnseenRow:
    """One value of one list; `value` and `last_seen` are null for all that are not listed by value."""

    list: Annotated[str, Field(description="service, profile, project or uai.")]
    value: Annotated[str | None, Field(description="As it was sent, printable, cut to 64 characters.")]
    events: Annotated[
        int, Field(description="Events that carried it since it was first seen; they count under INCONNU.")
    ]
    last_seen: Annotated[str | None, Field(description="When the broker last took one; forgotten 24 hours later.")]


@dataclass(frozen=True, slots=True)
class UnseenAnswer:
    """By list, most events first."""

    rows: list[UnseenRow]


def unseen_rows(reader: LiveReader) -> list[UnseenRow]:
    """Read Redis.

    Raises:
        ServerError: it does not answer.
    """
    return [
        UnseenRow(
            each.kind,
            each.value or None,
            each.events,
            None if each.last_seen_ms is None else iso_utc(each.last_seen_ms, milliseconds=True),
        )
        for each in reader.unseen.values()
    ]
