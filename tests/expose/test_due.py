"""Which settled minutes a scrape exposes: every one reaches Prometheus, at most sixty at once, and no scrape moves anything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.expose.due import (
    AFTER_START_SECONDS,
    LOOK_BACK_SECONDS,
    MINUTES_A_SCRAPE,
    WINDOW_AFTER_START_SECONDS,
    WINDOW_SECONDS,
    due_minutes,
    window_seconds,
)

NOW_S = 1_788_242_592
FIRST = NOW_S // 60 - 10_000
SCRAPE_SECONDS = 15  # the slowest that is promised

#: 250 were tried; each simulates nearly two hours.
EXAMPLES = 8


def seen(settled: list[tuple[int, int]], seconds: int, window: int = WINDOW_SECONDS) -> set[int]:
    """All minutes that a Prometheus sees that scrapes for so long from `NOW_S`; `settled` holds epoch seconds."""
    found: set[int] = set()
    for now_s in range(NOW_S, NOW_S + seconds, SCRAPE_SECONDS):
        recent = [(minute, at_s * 1000) for minute, at_s in settled if now_s - LOOK_BACK_SECONDS <= at_s <= now_s]
        page = due_minutes(recent, now_s * 1000, window)
        assert len(page) <= MINUTES_A_SCRAPE
        assert page == sorted(set(page))
        found.update(page)
    return found


def test_nothing_settled_nothing_due():
    assert due_minutes([], NOW_S * 1000, WINDOW_SECONDS) == []


def test_a_minute_is_due_for_five_minutes_after_it_settled():
    at_ms = NOW_S * 1000
    assert due_minutes([(FIRST, at_ms)], at_ms, WINDOW_SECONDS) == [FIRST]
    assert due_minutes([(FIRST, at_ms)], at_ms + WINDOW_SECONDS * 1000, WINDOW_SECONDS) == [FIRST]
    assert due_minutes([(FIRST, at_ms)], at_ms + WINDOW_SECONDS * 1000 + 1, WINDOW_SECONDS) == []


def test_live_traffic_has_five_or_six_minutes_due():
    settled = [(FIRST + n, (NOW_S - 3600 + 60 * n) * 1000) for n in range(61)]
    assert due_minutes(settled, NOW_S * 1000, WINDOW_SECONDS) == [FIRST + n for n in range(55, 61)]


def test_after_a_start_the_last_hour_is_due():
    assert window_seconds(0) == window_seconds(AFTER_START_SECONDS - 1) == WINDOW_AFTER_START_SECONDS
    assert window_seconds(AFTER_START_SECONDS) == WINDOW_SECONDS
    settled = [(FIRST + n, NOW_S - 3590 + 60 * n) for n in range(60)]
    milliseconds = [(minute, at_s * 1000) for minute, at_s in settled]
    assert due_minutes(milliseconds, NOW_S * 1000, WINDOW_AFTER_START_SECONDS) == [FIRST + n for n in range(60)]


@pytest.mark.parametrize("minutes", [1, 60, 61, 600, 4320])
def test_all_minutes_of_a_catch_up_reach_prometheus(minutes):
    settled = [(FIRST + n, NOW_S) for n in range(minutes)]
    assert seen(settled, LOOK_BACK_SECONDS) == {minute for minute, _at in settled}


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 600), st.integers(1, 400), st.integers(0, 120)), min_size=1, max_size=3),
    st.sampled_from([1, 2, 7, 15, 60]),
)
def test_all_minutes_reach_prometheus_while_others_come_and_go(bursts, live_every_s):
    """Catch-ups close together, at once or spread over seconds, among minutes that settle one by one at any pace."""
    times = [NOW_S - 300 + second for second in range(0, 900, live_every_s)]
    for at_s, minutes, spread_s in bursts:
        times += [NOW_S + at_s + spread_s * n // minutes for n in range(minutes)]
    settled = [(FIRST + n, at_s) for n, at_s in enumerate(sorted(times))]
    expected = {minute for minute, at_s in settled if at_s >= NOW_S}
    assert expected <= seen(settled, 600 + 120 + LOOK_BACK_SECONDS)


def test_the_newest_minutes_stay_live_during_a_catch_up():
    settled = [(FIRST + n, NOW_S * 1000) for n in range(2000)]
    for now_s in range(NOW_S, NOW_S + 300, 5):
        assert due_minutes(settled, now_s * 1000, WINDOW_SECONDS)[-1] == FIRST + 1999


def test_a_large_catch_up_does_not_keep_the_window_open_for_ever():
    settled = [(FIRST + n, NOW_S * 1000) for n in range(600)]
    after = NOW_S + LOOK_BACK_SECONDS
    live = [(FIRST + 600 + n, (NOW_S + 60 * n) * 1000) for n in range(60)]
    assert len(due_minutes([*settled, *live], after * 1000, WINDOW_SECONDS)) <= 6


def test_two_observers_and_two_scrapes_at_one_time_see_the_same():
    settled = [(FIRST + n, NOW_S * 1000) for n in range(500)]
    assert due_minutes(settled, NOW_S * 1000, 300) == due_minutes(settled[::-1], NOW_S * 1000, 300)
