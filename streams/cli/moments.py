"""Moments as commands take them: ISO 8601, or how long ago."""

from __future__ import annotations

import re
import time
from datetime import datetime
from datetime import time as day_time

from streams.clock import PARIS, iso_utc
from streams.errors import InputError

_AGO = re.compile(r"([1-9][0-9]{0,4})([mhd])", re.ASCII)
_UNIT_MINUTES = {"m": 1, "h": 60, "d": 1440}


def since_text(text: str | None) -> str | None:
    """`15m`, `6h` or `3d` ago as the start of a minute in ISO 8601; any other text as it is."""
    ago = _AGO.fullmatch((text or "").strip())
    if ago is None:
        return text
    return iso_utc((int(time.time()) // 60 - int(ago[1]) * _UNIT_MINUTES[ago[2]]) * 60_000)


def paris_moment(option: str, text: str) -> datetime:
    """The ISO time that was given to an option; in Paris, where it has no offset.

    Raises:
        InputError: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text!r} is not a time: write for instance 2026-09-01T07:47:00+02:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=PARIS)


def time_of_day(option: str, text: str) -> day_time:
    """The time of day that was given to an option.

    Raises:
        InputError: it is none.
    """
    try:
        return day_time.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text!r} is not a time of day: write HH:MM, for instance 07:47") from None
