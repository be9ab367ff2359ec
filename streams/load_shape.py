"""The load shape of `config/load_shape.yaml`: how use is spread over a day, a week and a school year. Pure but for reading the file."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from streams.catalog import Catalog
from streams.yaml_file import convert_section, read_mapping, section_error

Share = Annotated[float, Meta(ge=0, le=1)]
Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60


class LoginStorm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everybody logs in at once, from `start` local time on; `retry_duplicates` of the events are then sent twice."""

    start: Clock
    minutes: Annotated[int, Meta(ge=1, le=600)]
    peak_multiplier: Annotated[float, Meta(gt=1, le=20)]
    retry_duplicates: Share

    @property
    def start_minute(self) -> int:
        """Minutes after local midnight."""
        return int(self.start[:2]) * 60 + int(self.start[3:])


class LoadShape(msgspec.Struct, frozen=True):
    """The members of `load_shape.yaml` that a simulated day needs; the others are for other uses and left unread."""

    hourly_local: Annotated[tuple[Share, ...], Meta(min_length=24, max_length=24)]
    weekday: dict[Weekday, Annotated[float, Meta(gt=0)]]
    rentree_factor: dict[Annotated[str, Meta(pattern=r"^d[0-9]{1,3}$")], Annotated[float, Meta(gt=0)]]
    holiday_factor: Annotated[float, Meta(gt=0)]
    summer_factor: Annotated[float, Meta(gt=0)]
    pre_rentree_ramp: dict[Annotated[str, Meta(pattern=r"^d-[0-9]{1,3}$")], Annotated[float, Meta(gt=0)]]
    lockdown_factor: Annotated[float, Meta(gt=0)]
    lockdown_service_uplift: dict[str, Annotated[float, Meta(gt=0)]]
    login_storm: LoginStorm


def load_shape(config_dir: Path, catalog: Catalog) -> LoadShape:
    """Read `load_shape.yaml`.

    Raises:
        SettingsError: it cannot be used; the message says where.
    """
    path = config_dir / "load_shape.yaml"
    problems: list[str] = []
    shape = convert_section(read_mapping(path).get("load_shape"), LoadShape, "load_shape", problems)
    if shape:
        problems += [f"weekday: {day} is missing" for day in WEEKDAYS if day not in shape.weekday]
        problems += [
            f"lockdown_service_uplift: {code} is not in services.yaml"
            for code in shape.lockdown_service_uplift
            if code not in catalog.service_codes
        ]
        if not any(shape.hourly_local):
            problems.append("hourly_local: every hour is 0")
        if "d0" not in shape.rentree_factor:
            problems.append("rentree_factor: d0 is missing")
    if problems or shape is None:
        raise section_error(path, problems)
    return shape


def curve(shape: LoadShape) -> tuple[float, ...]:
    """The day by local minute, 1.0 at its highest: straight lines between the middles of the hours, across midnight."""
    values = np.interp(np.arange(_DAY_MINUTES) / 60, np.arange(24) + 0.5, shape.hourly_local, period=24)
    return tuple((values / values.max()).tolist())


def rentree_factor(shape: LoadShape, days: int) -> float:
    """The factor `days` after the rentrée: straight lines between the listed days, 1.0 before the first and a week after the last."""
    points = sorted((int(name[1:]), value) for name, value in shape.rentree_factor.items())
    points.append((points[-1][0] + 7, 1.0))
    at, factors = zip(*points, strict=True)
    return float(np.interp(days, at, factors, left=1.0))
