"""Volumes follow the shape: the curve, the regions' own clocks, the login storm, the services' weights."""

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from streams.load_shape import curve, rentree_factor
from streams.simulate.inputs import Configuration
from streams.simulate.traffic import Generator
from streams.simulate.visits import Load, service_weights, storm_strength
from tests.simulate.conftest import MakePlan


def load(configuration: Configuration, scale: float = 1.0) -> Load:
    c = configuration
    return c.plan(seed=1, scale=scale, first_s=0, shift_seconds=0, run="t").load


def day(configuration: Configuration) -> list[tuple[int, list[float]]]:
    midnight = configuration.scenario.at("00:00")
    made = load(configuration)
    return [(second, made.events_per_second(second)) for second in range(midnight, midnight + 86_400, 60)]


@pytest.mark.parametrize(
    ("name", "lowest", "highest"), [("ordinary", 1900, 2100), ("rentree", 4700, 5500), ("storm", 20_000, 36_000)]
)
def test_the_peak_minute_is_the_load_table_s(
    name: str, lowest: float, highest: float, configurations: dict[str, Configuration]
) -> None:
    peak_s, peak = max(((second, sum(rates)) for second, rates in day(configurations[name])), key=lambda item: item[1])
    assert lowest < peak < highest
    paris = datetime.fromtimestamp(peak_s, ZoneInfo("Europe/Paris"))
    if name != "ordinary":
        assert (7, 50) <= (paris.hour, paris.minute) < (8, 15)


def test_overseas_regions_peak_on_their_own_clocks(configurations: dict[str, Configuration]) -> None:
    configuration = configurations["rentree"]
    made = load(configuration)
    by_minute = day(configuration)
    peaks = {}
    for index, region in enumerate(made.regions):
        second, _ = max(by_minute, key=lambda item: item[1][index])
        local = datetime.fromtimestamp(second, ZoneInfo(region.timezone))
        peaks[region.code] = (second, (local.hour, local.minute))
    assert len(peaks) == 18
    assert all((7, 50) <= local < (8, 15) for _second, local in peaks.values())
    metropolitan, reunion, guadeloupe = peaks["11"][0], peaks["04"][0], peaks["01"][0]
    assert reunion == metropolitan - 2 * 3600
    assert guadeloupe == metropolitan + 6 * 3600


def test_regions_share_by_weight_and_scale_is_linear(configurations: dict[str, Configuration]) -> None:
    configuration = configurations["ordinary"]
    at = configuration.scenario.at("10:00")
    whole, tenth = load(configuration).events_per_second(at), load(configuration, 0.1).events_per_second(at)
    assert tenth == pytest.approx([rate / 10 for rate in whole])
    regions = load(configuration).regions
    by_code = dict(zip([region.code for region in regions], whole, strict=True))
    assert by_code["11"] / by_code["44"] == pytest.approx(0.1712 / 0.0815)
    assert "99" not in by_code


def test_the_curve_is_the_hourly_one_made_smooth(configurations: dict[str, Configuration]) -> None:
    shape = configurations["ordinary"].shape
    values = curve(shape)
    assert len(values) == 1440
    assert max(values) == values[8 * 60 + 30] == 1.0
    for hour, share in enumerate(shape.hourly_local):
        assert values[hour * 60 + 30] == pytest.approx(share / max(shape.hourly_local))
    assert max(abs(a - b) for a, b in zip(values, values[1:] + values[:1], strict=True)) < 0.01


def test_the_login_storm_rises_falls_and_spares_weekends(configurations: dict[str, Configuration]) -> None:
    storm = configurations["storm"].shape.login_storm

    def at(text: str) -> float:
        return storm_strength(storm, datetime.fromisoformat(text))

    assert at("2026-11-16T07:49:59") == at("2026-11-16T08:15:00") == 0
    assert at("2026-11-16T07:55:00") == 1
    assert 0 < at("2026-11-16T07:51:00") < 1
    assert 0 < at("2026-11-16T08:10:00") < 1
    assert at("2026-11-15T07:55:00") == 0  # a Sunday


def test_the_rentree_fades(configurations: dict[str, Configuration]) -> None:
    shape = configurations["rentree"].shape
    factors = [rentree_factor(shape, days) for days in range(-1, 30)]
    assert factors[0] == 1.0
    assert factors[1:4] == [2.0, 1.8, 1.6]
    assert factors[8] == 1.3
    assert factors[1:] == sorted(factors[1:], reverse=True)
    assert factors[-1] == 1.0


def test_a_lockdown_lifts_its_services(configurations: dict[str, Configuration]) -> None:
    normal, lockdown = (
        service_weights(c.shape, c.scenario, c.catalog.services)
        for c in (configurations["ordinary"], configurations["storm"])
    )
    assert sum(normal.values()) == pytest.approx(1)
    assert sum(lockdown.values()) == pytest.approx(1)
    lifted = lockdown["VISIOCONFERENCE"] / normal["VISIOCONFERENCE"]
    assert lifted / (lockdown["PAGE_ENT"] / normal["PAGE_ENT"]) == pytest.approx(20)


def test_generated_events_follow_the_load_and_the_weights(make_plan: MakePlan) -> None:
    plan = make_plan("ordinary", "09:00", 0.1, clean=True)
    generator = Generator(plan)
    places: Counter[str] = Counter()
    services: Counter[str] = Counter()
    profiles: Counter[str] = Counter()
    expected: Counter[str] = Counter()
    for number in range(600):
        step = generator.next_step()
        for cell in step.cells:
            place, profile, service = generator.cells.names(cell)
            places[place.region] += 1
            services[service] += 1
            profiles[profile] += 1
        for region, rate in zip(
            generator.load.regions, generator.load.events_per_second(plan.first_s + number), strict=True
        ):
            expected[region.code] += rate  # type: ignore[assignment]
    total = places.total()
    assert total == pytest.approx(expected.total(), rel=0.03)
    for code, number_expected in expected.items():
        # Visits are Poisson and have ten events each: four standard deviations of that.
        assert places[code] == pytest.approx(number_expected, abs=4 * (10 * number_expected) ** 0.5)
    for item in plan.catalog.services:
        assert services[item.code] / total == pytest.approx(item.weight, rel=0.1, abs=0.001)
    for profile_item in plan.catalog.profiles:
        assert profiles[profile_item.code] / total == pytest.approx(profile_item.share, rel=0.1, abs=0.003)
