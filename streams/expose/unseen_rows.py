"""Values that no list knows, the same for `vigie unseen` and `/api/v1/unseen`."""

import re
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from streams.catalog import UNKNOWN, Catalog
from streams.clock import iso_utc
from streams.live import LiveReader


@dataclass(frozen=True, slots=True)
class UnseenRow:
    """One value of one list; `value` and `last_seen` are null for all that are not listed by value."""

    list: Annotated[str, Field(description="service, profile, project or uai.")]
    value: Annotated[
        str | None,
        Field(
            description="As it was sent, cut to 64 characters, with escapes for what does not print and for backslashes."
        ),
    ]
    events: Annotated[
        int, Field(description="Events that carried it since it was first seen; they count under INCONNU.")
    ]
    last_seen: Annotated[str | None, Field(description="When the broker last took one; forgotten 24 hours later.")]
    listed: Annotated[bool, Field(description="Whether the lists have it by now: new events count under its own name.")]
    meant: Annotated[str | None, Field(description="The code from which it differs by blanks or capitals only.")]


@dataclass(frozen=True, slots=True)
class UnseenAnswer:
    """By list, most events first."""

    rows: list[UnseenRow]


#: What looks like a code of a marking plan, or a UAI; whatever else was sent may say who a pupil is: `Amelie-Dupont` is a name, `adupont`
#: a login. Project codes are written small, and by who runs the ENT.
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,31}|[0-9]{7}[A-Za-z]")
_PROJECT = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,15}")


def shaped(row: UnseenRow) -> UnseenRow:
    """The row for whoever may not see what was sent: a code, or nearly one, as it is; a path or an address by its beginning; the rest by
    its length.
    """
    if row.value is None or row.meant is not None or (row.list == "project" and _PROJECT.fullmatch(row.value)):
        return row
    return replace(row, value=shape(row.value))


def shape(value: str) -> str:
    """`CAHIER_TEXTES`, `/eleve/…`, `https://…`, `… (17 characters)`."""
    if _CODE.fullmatch(value):
        return value
    if found := re.match(r"/[a-z_-]{1,16}(?=/|$)", value):
        return f"{found[0]}/…"
    if found := re.match(r"https?://", value):
        return f"{found[0]}…"
    return f"… ({len(value)} characters)"


def unseen_rows(reader: LiveReader, catalog: Catalog) -> list[UnseenRow]:
    """Read Redis; `catalog` is what the lists hold now.

    Raises:
        ServerError: it does not answer.
    """
    codes = {
        "service": frozenset(catalog.service_codes),
        "profile": frozenset(catalog.profile_codes),
        "project": frozenset(catalog.project_codes),
    }

    def is_listed(kind: str, value: str) -> bool:
        return value in codes[kind] if kind in codes else catalog.uai_index[value][0] != UNKNOWN

    def meant(kind: str, value: str) -> str | None:
        bare = value.strip()
        near = (code for code in (bare, bare.upper(), bare.lower()) if code and code != value)
        return next((code for code in near if is_listed(kind, code)), None)

    return [
        UnseenRow(
            each.kind,
            each.value or None,
            each.events,
            None if each.last_seen_ms is None else iso_utc(each.last_seen_ms, milliseconds=True),
            is_listed(each.kind, each.value),
            meant(each.kind, each.value),
        )
        for each in reader.unseen.values()
    ]
