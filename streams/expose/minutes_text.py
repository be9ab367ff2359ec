"""Minutes as lines of text: when, of what by code and name, whether settled, and last the figures that one reads."""

from __future__ import annotations

from collections.abc import Mapping

from streams.catalog import UNKNOWN, Catalog
from streams.clock import paris_text
from streams.expose.minute_rows import Row, Value
from streams.expose.minutes_query import USERS, Question, read_time
from streams.small_numbers import SmallNumbers

_TIME_WIDTH = len("2026-09-01 07:52+02:00")
_FIGURE_WIDTH = 11


class MinuteLines:
    """Writes the rows of one question, all in the same columns; times are in Paris, `shift_seconds` after the clock (a scenario's)."""

    def __init__(self, question: Question, catalog: Catalog, shift_seconds: int, few: SmallNumbers) -> None:
        self._members = {member: _texts(member, catalog) for member in question.grouping.members}
        self._widths = {member: max(map(len, texts.values())) for member, texts in self._members.items()}
        self._measures = question.measures
        self._shift_seconds = shift_seconds
        self._few = f"< {few.shown_min}"

    def head(self) -> str:
        """The names of the columns."""
        figures = ["users ≈" if name == USERS else name for name in self._measures]
        return self._line("minute (Paris)", {member: member for member in self._members}, "", figures)

    def row(self, row: Row) -> str:
        """One row."""
        texts = {member: texts.get(str(row[member]), str(row[member])) for member, texts in self._members.items()}
        figures = [self._figure(row[name]) if name in row else "-" for name in self._measures]
        when = paris_text(read_time("minute", str(row["minute"])), self._shift_seconds)
        return self._line(when, texts, "" if row["settled"] else "running", figures)

    def _figure(self, number: Value) -> str:
        return self._few if number is None else f"{number:,}"

    def _line(self, when: str, texts: Mapping[str, str], state: str, figures: list[str]) -> str:
        members = [f"{text:{self._widths[member]}}" for member, text in texts.items()]
        return "  ".join([f"{when:{_TIME_WIDTH}}", *members, f"{state:7}"]) + "".join(
            f"{figure:>{_FIGURE_WIDTH}}" for figure in figures
        )


def _texts(member: str, catalog: Catalog) -> dict[str, str]:
    """Code -> code and name, of what the member may be."""
    lists = {
        "region": {region.code: region.name for region in catalog.regions},
        "service": {service.code: service.label for service in catalog.services},
        "project": {project.code: project.name for project in catalog.projects},
        "profile": {profile.code: "" for profile in catalog.profiles},
        "academy": {academy.code: academy.name for region in catalog.regions for academy in region.academies},
    }
    return {code: f"{code} {name}".rstrip() for code, name in lists[member].items()} | {UNKNOWN: UNKNOWN}
