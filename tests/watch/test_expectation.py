"""What a day is held against: levels across years, days that begin early, how much was learned, rungs of the ladder."""

import datetime
from dataclasses import replace

import numpy as np
import pytest

from streams.catalog import load_catalog
from streams.history import load_calendar
from streams.settings import default_config_dir
from streams.watch import SENSITIVITIES, MixedDays, Panel, SchoolDays, weekly
from streams.watch.baseline import make_baseline
from streams.watch.flags import few_score
from streams.watch.lately import with_lately
from streams.watch.limits import PEAK_MIN, PRIOR_PEAK, learn_limits
from streams.watch.scales import GROUPS, Scales
from streams.watch.score import LevelSpread, Piece, SoFar, Stretch, allow_for_learning, day_so_far, score_of
from streams.watch.shift import Shifts
from streams.watch.spread import Sample
from streams.watch.store import DAYS_MAX, SPREAD_DAYS, SPREAD_DAYS_MIN, Day, Past
from tests.watch.peaks import every_other_evening, past_of
from tests.watch.test_panel import days, judged

STEP = 60


def school_days() -> SchoolDays:
    config = default_config_dir()
    calendar = load_calendar(config, load_catalog(config))
    return SchoolDays(lambda date: calendar.zone_day_type(date, "B"))


@pytest.mark.parametrize("growth_a_year", [0.5, 1.0, 2.0])
def test_a_september_stands_at_the_level_of_this_year(growth_a_year: float) -> None:
    """Days of last year's rentrée are moved by how the days since this one compare with theirs: neither by its square nor not at all."""
    keys_of = school_days()
    panel = Panel(1, STEP, SENSITIVITIES["normal"])
    first, long_after = datetime.date(2024, 8, 26), datetime.date(2024, 10, 12)
    slots = np.arange(24)
    shape = 200.0 * (0.1 + np.exp(-(((slots - 13) / 4) ** 2)))
    for number in range(388):
        date = first + datetime.timedelta(days=number)
        if long_after < date < datetime.date(2025, 8, 25):
            continue  # the year between tells nothing of it
        baseline = panel.begin_day(date, keys_of(date))
        level = growth_a_year ** (number / 365) * (1.0 if date.weekday() < 5 else 0.3)
        if date >= datetime.date(2025, 9, 8) and date.weekday() < 5:
            assert baseline.expected.sum() == pytest.approx(level * shape.sum(), rel=0.12), date
        panel.judge(slots, np.round(level * shape)[None, :])


def test_an_edge_is_less_sure_than_a_plain() -> None:
    scales = Scales.of(1)
    expected = np.full((1, 1440), 100.0)
    expected[0, 780:] = 150.0  # from 13:00 on
    shifts = Shifts.of(expected, scales, days=8)
    at = np.array([600, 785])
    untold = SoFar([np.zeros((1, 2))] * 3, [np.full((1, 2), 100.0)] * 3, np.zeros((1, 2)))
    level, edge = shifts.seen(5, at, scales, untold)[1][0]
    assert level == pytest.approx(0.0, abs=1e-9)
    assert 0.1 < edge < np.log(1.5)
    assert shifts.change(5, at, scales)[0] == pytest.approx([0.0, np.log(1.5)], abs=0.08)


@pytest.mark.parametrize("minutes", [-6, -3, 0, 3, 6])
@pytest.mark.parametrize("level", [0.8, 1.0, 1.3])
def test_an_early_morning_shows_it_before_its_peak(minutes: int, level: float) -> None:
    """From 7:15 to 8:00 the day rose as it does some minutes later or earlier: what follows is moved, too, and surer."""
    scales = Scales.of(1)
    slots = np.arange(1440)
    curve = 1000.0 * (1.0 + 1.5 * np.exp(-(((slots - 490) / 20) ** 2)))
    expected, counts = curve[None, :], level * np.interp(slots + minutes, slots, curve)[None, :]
    shifts = Shifts.of(expected, scales, days=8)
    at, rows = np.array([484]), 5
    piece = Piece(Stretch.of(counts[:, :485], expected[:, :485]), at, np.zeros(485), 484)
    so_far = day_so_far(piece, scales, LevelSpread(np.full((1, 1), 0.3), np.array([0.03])), rows)
    shift, left = shifts.seen(rows, at, scales, so_far)
    untold = SoFar(so_far.ratios, [np.full((1, 1), 1e3)] * 3, so_far.level)
    without, before = shifts.seen(rows, at, scales, untold)
    truth = np.log(counts[0, 480:485].sum() / curve[480:485].sum())
    missed, missed_without = (abs(float((so_far.level + moved)[0, 0]) - truth) for moved in (shift, without))
    assert missed <= missed_without + 0.01
    assert missed < 0.06
    assert left[0, 0] < 0.9 * before[0, 0]


def test_what_was_learned_from_few_days_counts_less() -> None:
    score, tau, none = np.array([6.0, -6.0]), np.array([0.01]), np.array([0.0])
    few, many = allow_for_learning(score, tau, none, 10.0), allow_for_learning(score, tau, none, 1000.0)
    assert few[0] == -few[1]
    assert 3.5 < few[0] < 5.0
    assert many[0] == pytest.approx(6.0, abs=0.1)
    # Where counting is all the noise there is nothing to learn.
    assert allow_for_learning(score, tau, np.array([1.0]), 10.0)[0] == pytest.approx(6.0, abs=0.01)


@pytest.mark.parametrize("tau", [0.05, 0.5, 1.5])
@pytest.mark.parametrize(
    ("observed", "expected"), [(4, 0.02), (50, 0.02), (100, 0.5), (60, 0.0003), (5, 3), (5, 60), (130, 100)]
)
def test_a_score_is_the_root_of_the_least_likelihood_ratio(observed: float, expected: float, tau: float) -> None:
    """Of many counts where next to none were expected, too: it was 10^27 there, and an overflow."""
    u = np.linspace(-80, 80, 400_001)
    with np.errstate(over="ignore"):
        mean = expected * np.exp(np.clip(tau * u, -600, 600))
        ratio = u * u + 2.0 * (observed * np.log(observed / mean) - observed + mean)
    exact = np.sign(observed - expected) * np.sqrt(ratio.min())
    found = score_of(np.array([float(observed)]), np.array([expected]), np.array([tau * tau]))
    assert found[0] == pytest.approx(exact, abs=0.05)


def test_few_visits_a_minute_need_a_higher_score() -> None:
    """The same deviation in a night and in the day; rows of an hour are fewer anyway."""
    few, many = few_score(np.array([10.0, 100.0]), Scales.of(1))
    assert many == 0.0 < few
    assert set(few_score(np.array([10.0, 100.0]), Scales.of(60))) == {0.0}


def test_the_spread_is_the_quantile_that_it_says() -> None:
    rng = np.random.default_rng(1)
    error = rng.normal(0, 0.3, (2, 3, 1, 200)).astype(np.float32)
    noise = rng.uniform(0.001, 0.02, error.shape).astype(np.float32)
    noise[0, :, :, ::3] = np.inf  # not known
    for sign in (1.0, -1.0):
        found = Sample.of(error, noise).quantile_square(sign, (0.85, 1.0364))
        for place in np.ndindex(2, 3, 1):
            known = np.isfinite(noise[place])
            side = np.where(sign * error[place] > 0, error[place], 0.0)[known] ** 2 / 1.0364**2 - noise[place][known]
            assert found[place] == pytest.approx(np.sort(side)[::-1][int((1.0 - 0.85) * known.sum())], rel=1e-4)


def test_events_on_two_days_of_five_do_not_widen_an_hour() -> None:
    rng = np.random.default_rng(2)
    error = rng.normal(0, 0.1, (1, 1, 1, 160)).astype(np.float32)
    noise = np.full(error.shape, 1e-4, np.float32)
    alone = Sample.of(error, noise).dense_square()
    error[..., ::5] += 0.7  # x2
    error[..., 1::5] += 0.7
    assert np.sqrt(alone) == pytest.approx(0.1, rel=0.25)
    assert np.sqrt(Sample.of(error, noise).dense_square()) < 0.19


@pytest.mark.parametrize("event_days", [0, 2, 3])
def test_what_most_days_do_is_expected(event_days: int) -> None:
    """Of eight Mondays three have an evening twice as busy: the next one is expected as the other five."""
    rng, past = np.random.default_rng(4), Past()
    date = datetime.date(2026, 1, 5)
    mean = np.full(24, 60.0)
    for number in range(57):
        day = date + datetime.timedelta(days=number)
        counts = rng.poisson(mean).astype(float)[None, :]
        if number % 7 == 0 and number // 7 % 3 == 1 and number // 21 < event_days:
            counts[:, 18:20] = rng.poisson(2 * mean[18:20])
        past.add(Day.unjudged(day, weekly(day), counts))
    monday = date + datetime.timedelta(days=63)
    expected = make_baseline(past, monday, weekly(monday), 24, np.ones(1)).expected[0]
    assert expected[18:20].mean() == pytest.approx(60.0, rel=0.12)


def limits(peaks: list[float], budget: float = 2.0) -> tuple[float, float]:
    """(score, usual) of surges once days reached these scores, each in an hour of its own."""
    surges = np.zeros((len(peaks), 24))
    surges[np.arange(len(peaks)), np.arange(len(peaks)) * 7 % 24] = peaks
    found = learn_limits(past_of(surges), np.ones((1, 24)), replace(SENSITIVITIES["normal"], budget_a_month=budget))
    return float(found.score[0, 0, 0, 12]), float(found.usual[0, 0, 0, 12])


def test_a_limit_knows_its_series() -> None:
    quiet, wild = limits([2.0, 2.5] * 40), limits([3.0, 5.5] * 40)
    assert PEAK_MIN < quiet[0] < limits([])[0] < wild[0]
    assert limits([])[1] == PRIOR_PEAK
    assert quiet[1] < 3.0 < 5.0 < wild[1]


def test_a_smaller_budget_takes_more() -> None:
    scores = [limits([3.0, 3.5] * 40, budget)[0] for budget in (8.0, 2.0, 0.25)]
    assert scores == sorted(scores)


def test_strange_nights_do_not_raise_the_limit_of_days() -> None:
    past = Past()
    for number in range(80):
        date = datetime.date(2026, 1, 5) + datetime.timedelta(days=number)
        by_hour = np.full((2, GROUPS, 1, 24), 2.5, np.float32)
        by_hour[0, 0, 0, number % 6] = 6.0
        past.add(replace(Day.unjudged(date, weekly(date), np.ones((1, 24))), peaks=by_hour))
    expected = np.where(np.arange(24) < 6, 1.0, 50.0)[None, :]
    score = learn_limits(past, expected, SENSITIVITIES["normal"]).score[0, 0, 0]
    assert score[12] < 4.2 < 5.5 < score[3]


def test_a_drop_takes_more_than_a_surge_and_a_quiet_hour_more_than_a_busy_one() -> None:
    """Whose days reached as high in both directions and at all hours."""
    past = Past()
    for number in range(80):
        date = datetime.date(2026, 1, 5) + datetime.timedelta(days=number)
        by_hour = np.full((2, GROUPS, 1, 24), 2.5, np.float32)
        past.add(replace(Day.unjudged(date, weekly(date), np.ones((1, 24))), peaks=by_hour))
    expected = np.where(np.arange(24) < 6, 1.0, 50.0)[None, :]
    surge, drop = learn_limits(past, expected, SENSITIVITIES["normal"]).score[:, 0, 0]
    assert (drop > surge + 0.2).all()
    assert surge[3] > surge[12] + 2.5
    rare = learn_limits(past, expected, replace(SENSITIVITIES["normal"], budget_a_month=0.05)).score[0, 0, 0]
    assert rare[12] > surge[12] + 1.0  # but what is rarest of all no tail tells: nights do not grow deaf
    assert rare[3] < surge[3] + 0.1


def test_events_that_recur_at_an_hour_do_not_raise_the_limit() -> None:
    """Every other evening scores 8, other hours at most 3.2."""
    assert learn_limits(every_other_evening(3.2), np.ones((1, 24)), SENSITIVITIES["normal"]).usual[0, 0, 0].max() < 3.5


def test_a_wednesday_is_compared_with_wednesdays() -> None:
    """They end at noon: Mondays to Fridays tell nothing of their shape."""
    keys = school_days()(datetime.date(2025, 10, 8))
    assert keys.ladder[0] == {("school", 2)}
    assert all(name[-1] == 2 for rung in keys.ladder for name in rung if isinstance(name, tuple))


def test_the_sunday_before_a_return_waits_for_one_like_it() -> None:
    date = datetime.date(2025, 11, 2)
    assert not make_baseline(Past(), date, school_days()(date), 24, np.ones(1)).judged


def test_a_short_surge_in_the_first_weeks_does_not_enter_later_expectations() -> None:
    counts = days(15, series=1)
    counts[7][0, 50:54] *= 5  # the second Monday
    panel = Panel(1, 15, SENSITIVITIES["normal"])
    assert [change.episode.kind.value for change in judged(panel, counts, 96) if change.ended] == ["surge"]
    assert panel.past.days[7].judged[0, 50:54].all()


def test_errors_of_days_that_nobody_asks_for_are_forgotten() -> None:
    panel = Panel(1, STEP, SENSITIVITIES["normal"])
    judged_days = 80
    for number in range(judged_days):
        date = datetime.date(2026, 1, 5) + datetime.timedelta(days=number)
        panel.begin_day(date, weekly(date))
        panel.judge(np.arange(24), np.full((1, 24), 100.0))
    panel.end_day()
    kept = [day.residuals for day in panel.past.days if day.residuals is not None]
    assert len(panel.past.days) == judged_days <= DAYS_MAX
    assert SPREAD_DAYS <= len(kept) <= SPREAD_DAYS + SPREAD_DAYS_MIN


def test_days_on_which_zones_differ_are_as_sure_as_others_once_seen() -> None:
    """A week in which one zone of two has holidays: five such days stood under a band of x3 and more."""
    config = default_config_dir()
    calendar = load_calendar(config, load_catalog(config))
    zones = [SchoolDays(lambda date, zone=zone: calendar.zone_day_type(date, zone)) for zone in ("A", "B")]  # type: ignore[misc]
    keys_of, past = MixedDays(zones), Past()
    first, rng = datetime.date(2025, 12, 1), np.random.default_rng(1)
    for number in range(74):  # to Thursday 12 February 2026: zone A has winter holidays since Saturday, B none
        date = first + datetime.timedelta(days=number)
        past.add(Day.unjudged(date, keys_of(date), rng.poisson(500.0, (1, 24)).astype(float)))
    date = first + datetime.timedelta(days=74)
    assert keys_of(date).name[0] == "mixed"  # type: ignore[index]
    assert make_baseline(past, date, keys_of(date), 24, np.ones(1)).extra < 0.15


@pytest.mark.parametrize(("days", "early"), [(4, True), (2, False)])
def test_a_timetable_that_changed_is_expected_after_four_days(days: int, early: bool) -> None:
    """Working days begin at five in place of six: the fifth is no surge, though five Fridays before began at six."""
    rng, past = np.random.default_rng(9), Past()
    date = datetime.date(2026, 1, 5)
    mean = np.where(np.arange(24) < 6, 20.0, 200.0)
    for number in range(39):
        day = date + datetime.timedelta(days=number)
        hours = np.roll(mean, -1) if 39 - number <= days else mean
        counts = rng.poisson(hours).astype(float)[None, :]
        past.add(replace(Day.unjudged(day, weekly(day), counts), hoped=mean[None, :]))
    friday = date + datetime.timedelta(days=39)
    found = with_lately(past, friday, weekly(friday), mean[None, :])[0]
    assert bool(found[5] > 150.0) is early
    assert found[8:20] == pytest.approx(mean[8:20])


def test_windows_of_each_kind_have_limits_of_their_own() -> None:
    """Days that are strange for hours do not make it deaf to what is sudden."""
    past = Past()
    for number in range(80):
        date = datetime.date(2026, 1, 5) + datetime.timedelta(days=number)
        by_hour = np.full((2, GROUPS, 1, 24), 2.0, np.float32)
        by_hour[0, 1, 0, number * 7 % 24] = 5.0
        past.add(replace(Day.unjudged(date, weekly(date), np.ones((1, 24))), peaks=by_hour))
    score = learn_limits(past, np.ones((1, 24)), SENSITIVITIES["normal"]).score[0, :, 0, 12]
    assert score[0] < 4.2 < 5.5 < score[1]
