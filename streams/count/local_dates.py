"""Local dates of minutes: a region's own day, and the national one, which is a day in Paris."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from streams.catalog import UNKNOWN, Catalog

PARIS = "Europe/Paris"
#: Dates remembered; far more than any chunk spans.
DATES_MAX = 100_000


class LocalDays:
    """Date (`2026-09-01`) of an epoch minute in a region. `shift_seconds` is scenario time minus clock, 0 in production."""

    def __init__(self, catalog: Catalog, shift_seconds: int) -> None:
        self._zones = {region.code: ZoneInfo(region.timezone) for region in catalog.regions} | {
            UNKNOWN: ZoneInfo(PARIS)
        }
        self._shift_seconds = shift_seconds
        self._dates: dict[tuple[int, str], str] = {}
        #: Regions whose own day is not the day in Paris.
        self.overseas = frozenset(region.code for region in catalog.regions if region.timezone != PARIS)

    def local(self, minute: int, region: str) -> str:
        """The date in the region's time zone."""
        zone = self._zones[region]
        known = self._dates.get((minute, zone.key))
        if known is None:
            if len(self._dates) >= DATES_MAX:
                self._dates.clear()
            instant = datetime.fromtimestamp(minute * 60 + self._shift_seconds, UTC)
            known = self._dates[(minute, zone.key)] = instant.astimezone(zone).date().isoformat()
        return known

    def paris(self, minute: int) -> str:
        """The date in Paris."""
        return self.local(minute, UNKNOWN)
