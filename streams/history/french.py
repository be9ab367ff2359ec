"""How the report's page writes numbers, in French. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from streams.clock import PARIS, french_date

#: Between groups of three digits, and before a percent sign: spaces that do not break, as the Imprimerie nationale has them.
THIN, WIDE = "\u202f", "\u00a0"


def number(value: float | None) -> str:
    """`1 234 567`; a dash where nothing is known."""
    return "–" if value is None else f"{value:,.0f}".replace(",", THIN).replace("-", "−")


def growth(value: float | None) -> str:
    """`+50,0 %`; a dash where there is none."""
    if value is None:
        return "–"
    percent = 100 * value
    digits = 0 if abs(percent) >= 1000 else 1
    text = f"{percent:+,.{digits}f}".replace(",", THIN).replace(".", ",").replace("-", "−")
    return f"{text}{THIN}%"


def share(part: float, whole: float) -> str:
    """`0,05 %` of the whole; a dash where the whole is zero."""
    return "–" if not whole else f"{100 * part / whole:.2f}".replace(".", ",") + f"{THIN}%"


def moment(minute: int, zone: ZoneInfo = PARIS) -> str:
    """`mardi 1er septembre 2026, 08:03` of an epoch minute."""
    local = datetime.fromtimestamp(minute * 60, UTC).astimezone(zone)
    return f"{french_date(local)}, {local:%H:%M}"


def short_moment(minute: int, zone: ZoneInfo = PARIS) -> str:
    """`01/09 08:03`."""
    return f"{datetime.fromtimestamp(minute * 60, UTC).astimezone(zone):%d/%m %H:%M}"
