"""Plain values of this room that others use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class DayType(StrEnum):
    """What kind of day it is in a school-holiday zone or region; days of one type are comparable. Weekdays are Monday to Friday."""

    SCHOOL_DAY = "school_day"  # a Monday, Tuesday or Thursday with school
    WEDNESDAY = "wednesday"  # with school, mostly in the morning
    FRIDAY = "friday"  # with school, the weekend before it
    WEEKEND = "weekend"  # outside holidays, but for the next one
    SUNDAY_BEFORE_SCHOOL = "sunday_before_school"  # school the next day; the last Sunday of holidays, too
    HOLIDAY = "holiday"  # school holidays, their weekends included
    PUBLIC_HOLIDAY = "public_holiday"  # in the whole region
    LOCAL_HOLIDAY = (
        "local_holiday"  # public holiday in a part of the region on a day of school (Alsace-Moselle in Grand Est)
    )
    RETURN = "return"  # first school day after holidays of a week or more
    RENTREE_WEEK = "rentree_week"  # school days among the seven days that begin with the rentrée
    UNKNOWN = "unknown"  # nobody told when there is school


@dataclass(frozen=True, slots=True)
class Break:
    """School holidays in one zone: both days included; `name` in French."""

    name: str
    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    @property
    def days(self) -> int:
        """How many days it lasts."""
        return (self.last - self.first).days + 1
