"""The live page: what it shows is put together here, as values; how it looks is in `static/`. In French, for those who operate.

feed (reads Redis once a second) -> Picture -> board, pulse (pure) -> server-sent events -> static/*.js
"""

from streams.expose.page.curves import EarlierDays, Lines
from streams.expose.page.feed import Feed
from streams.expose.page.judged import Sources
from streams.expose.page.older_minutes import PastVisits
from streams.expose.page.routes import add_accessibility, add_forecast, add_page, add_runbooks

__all__ = [
    "EarlierDays",
    "Feed",
    "Lines",
    "PastVisits",
    "Sources",
    "add_accessibility",
    "add_forecast",
    "add_page",
    "add_runbooks",
]
