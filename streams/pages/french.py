"""Numbers and days as French writes them. Pure."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from streams.clock import PARIS, french_date, french_moment

#: Between groups of three digits, and before a percent sign: a space that does not break, as the Imprimerie nationale has it.
THIN = "\u202f"

#: The days of the week as a chart names them, Monday first.
WEEKDAYS = ("lu", "ma", "me", "je", "ve", "sa", "di")


def number(value: float | None) -> str:
    """`1 234 567`; a dash where nothing is known."""
    return "–" if value is None else decimal(value, 0)


def decimal(value: float, digits: int) -> str:
    """`1 234,5`."""
    return f"{value:,.{digits}f}".replace(",", THIN).replace(".", ",").replace("-", "−")


def growth(value: float | None) -> str:
    """`+50,0 %`; a dash where there is none."""
    if value is None:
        return "–"
    return f"{'+' if value >= 0 else ''}{decimal(100 * value, 0 if abs(value) >= 10 else 1)}{THIN}%"


def percent(part: float, digits: int = 0) -> str:
    """`5 %` of 0.05."""
    return f"{decimal(100 * part, digits)}{THIN}%"


def share(part: float, whole: float) -> str:
    """`0,05 %` of the whole; a dash where the whole is zero."""
    return percent(part / whole, 2) if whole else "–"


def moment(minute: int) -> str:
    """`mardi 1er septembre 2026, 08:03` of an epoch minute."""
    return french_moment(datetime.fromtimestamp(minute * 60, PARIS))


def short_moment(minute: int, zone: ZoneInfo | None = None) -> str:
    """`01/09 08:03`, in Paris where no zone is named."""
    return f"{datetime.fromtimestamp(minute * 60, zone or PARIS):%d/%m %H:%M}"


def counted(number_of: float, what: str) -> str:
    """`1 jour`, `1 234 jours`."""
    return f"{number(number_of)} {what}{'s' if number_of > 1 else ''}"


def day(told: date | str) -> str:
    """`mardi 1er septembre 2026` of a day, or of its ISO form."""
    found = date.fromisoformat(told) if isinstance(told, str) else told
    return french_date(datetime(found.year, found.month, found.day, tzinfo=PARIS))
