"""What is compared and how much it grew, in a sentence: of the terminal in English, of the page in French. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streams.history.report import Row
from streams.history.side import Extent
from streams.pages import french


def number_text(value: float | None) -> str:
    """`1,234`; a dash where nothing is known."""
    return "-" if value is None else f"{value:,}"


def percent_text(value: float | None) -> str:
    """`+50.0 %`; a dash where there is none."""
    return "-" if value is None else f"{100 * value:+.1f} %"


@dataclass(frozen=True, slots=True)
class ReportWords:
    """The words of a language. Braces stand for what its sentences are filled with."""

    nothing: str
    one_day: str
    days: str
    since: str
    until: str
    first: str
    last: str
    gap: tuple[str, str]
    same: str
    visits: str
    unknown: str
    unchanged: str
    changed: str
    between: str
    number: Callable[[float | None], str]
    growth: Callable[[float | None], str]
    time: Callable[[int], str]

    def extent(self, found: Extent) -> str:
        """How much of the days is compared; empty where it is all of them."""
        if found.is_whole:
            return ""
        if not found.minutes:
            return self.nothing
        is_one = found.days == 1
        text = self.one_day if is_one else self.days.format(len(found.day_numbers), found.days)
        for minute, end, when in ((found.since, self.first, self.since), (found.until, self.last, self.until)):
            if minute is not None:
                text += ("" if is_one else end) + when.format(self.time(minute))
        return text + self.gap[found.gap_minutes > 1].format(self.number(found.gap_minutes)) * (found.gap_minutes > 0)

    def comparison(self, row: Row, extent: Extent, source: str = "") -> str:
        """Visits of both sides, like with like, and how much of the days that is. `source` follows the figures of the earlier side."""
        if row.visits_compared == row.visits is not None and not row.perimeter_changed:
            parts = [self.same, self.extent(extent)]
        else:
            compared = self.changed if row.perimeter_changed else self.unchanged
            parts = [self.visits, self.extent(extent)]
            parts += [self.unknown if row.visits_compared is None else compared] * (extent.minutes > 0)
        return self.between.join(part for part in parts if part).format(
            visits=self.number(row.visits),
            compared=self.number(row.visits_compared),
            then=self.number(row.visits_then_compared) + source,
            growth=self.growth(row.growth),
            raw=self.growth(row.growth_raw),
        )


ENGLISH = ReportWords(
    nothing="nothing was measured on both sides",
    one_day="compared",
    days="compared on {} of {} days",
    since=" from {}",
    until=" until {}",
    first=", the first",
    last=", the last",
    gap=(", without {} minute", ", without {} minutes"),
    same="{visits} visits against {then}: {growth}",
    visits="{visits} visits",
    unknown="no growth like with like: the perimeter is unknown; with all projects {raw}",
    unchanged="{compared} against {then}: {growth}",
    changed="like with like {compared} against {then}: {growth} (with all projects {raw})",
    between="; ",
    number=number_text,
    growth=percent_text,
    time=lambda minute: f"{minute // 60:02}:{minute % 60:02}",
)
FRENCH = ReportWords(
    nothing="rien n'a été mesuré des deux côtés",
    one_day="comparé",
    days="comparé sur {} des {} jours",
    since=" à partir de {}",
    until=" jusqu'à {}",
    first=", le premier",
    last=", le dernier",
    gap=(", sans {} minute non mesurée", ", sans {} minutes non mesurées"),
    same="{visits} visites contre {then}",
    visits="{visits} visites",
    unknown="périmètre inconnu ; tous projets confondus {raw}",
    unchanged="{compared} contre {then}",
    changed="à périmètre constant {compared} contre {then} ; tous projets confondus {raw}",
    between=" ; ",
    number=french.number,
    growth=french.growth,
    time=lambda minute: f"{minute // 60} h" + (f" {minute % 60:02}" if minute % 60 else ""),
)
