"""Moments as commands take them: ISO 8601, or how long ago."""

from __future__ import annotations

import re
import time

from streams.clock import iso_utc

_AGO = re.compile(r"([1-9][0-9]{0,4})([mhd])", re.ASCII)
_UNIT_MINUTES = {"m": 1, "h": 60, "d": 1440}


def since_text(text: str | None) -> str | None:
    """`15m`, `6h` or `3d` ago as the start of a minute in ISO 8601; any other text as it is."""
    ago = _AGO.fullmatch((text or "").strip())
    if ago is None:
        return text
    return iso_utc((int(time.time()) // 60 - int(ago[1]) * _UNIT_MINUTES[ago[2]]) * 60_000)
