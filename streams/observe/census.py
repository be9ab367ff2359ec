"""How many users and establishments there are, at one settled minute: unions of sketches, read once a minute, not once a scrape.

Distinct users never add up, so each figure is a union of its own; all are approximate (0.81 % standard error).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streams.catalog import Catalog
from streams.count.local_dates import LocalDays
from streams.live import Distinct, SketchReader
from streams.small_numbers import SmallNumbers

#: Settled minutes of each sliding window, by the name that labels and members carry.
WINDOWS_MINUTES = {"5m": 5, "15m": 15}
#: The window of the current local day.
DAY = "day"
WINDOWS = (*WINDOWS_MINUTES, DAY)
#: Establishments that were seen in the last settled minutes report.
REPORTING_MINUTES = 15


@dataclass(frozen=True, slots=True)
class Census:
    """Users by window, and establishments reporting, as of `minute`: the epoch minute that was running at settled time.

    Sliding windows end where `minute` begins: they hold settled minutes alone. The day is the local day of `minute` in each region, in
    Paris for France, up to what is counted; it has no figures by project or academy. A number of users that is too small is None.
    """

    minute: int
    users: Mapping[str, Distinct[int | None]]
    establishments: Distinct[int]
    few: SmallNumbers


def take_census(sketches: SketchReader, settled_ms: int, catalog: Catalog, days: LocalDays) -> Census:
    """Read the figures at settled time.

    Raises:
        ServerError: Redis does not answer.
    """
    minute = settled_ms // 60_000
    users = {name: sketches.users(minute - length, minute) for name, length in WINDOWS_MINUTES.items()}
    local_dates = {region: days.local(minute, region) for region in catalog.region_codes}
    users[DAY] = sketches.day_users(local_dates, days.paris(minute), days.overseas)
    return Census(minute, users, sketches.establishments(minute - REPORTING_MINUTES, minute), sketches.few)
