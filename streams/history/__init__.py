"""What came before: the school calendar, settled days kept as files, ranges read without a seam, and the report.

Imports nothing heavy: `holidays` and pyarrow are imported where they are first needed.
"""

from streams.history.calendar import SchoolCalendar, load_calendar, school_year_of
from streams.history.calendar_config import DayType

__all__ = ["DayType", "SchoolCalendar", "load_calendar", "school_year_of"]
