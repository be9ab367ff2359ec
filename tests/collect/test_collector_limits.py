"""What a token may send in a while, and what may wait, by itself and in all."""

from hypothesis import given
from hypothesis import strategies as st

from streams.collect.collector_limits import BURST_SECONDS, Rate, Waiting, cost


def test_who_comes_back_when_told_is_let_in_and_not_a_second_sooner() -> None:
    rate = Rate(100, 0.0)
    assert rate.wait_seconds(0.0) == 0
    rate.pay(int(100 * BURST_SECONDS) + 250)
    wait = rate.wait_seconds(0.0)
    assert wait == 3
    assert rate.wait_seconds(wait - 1.0) > 0
    assert rate.wait_seconds(float(wait)) == 0


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 5000)), max_size=60))
def test_no_more_than_the_rate_and_one_burst_and_one_request(visits: list[tuple[float, int]]) -> None:
    rate, now, taken = Rate(100, 0.0), 0.0, 0
    for pause, events in visits:
        now += pause
        if rate.wait_seconds(now) == 0:
            rate.pay(events)
            taken += events
    assert taken <= 100 * (now + BURST_SECONDS) + 5000


def test_what_unpacks_to_much_costs_much_though_it_be_one_line() -> None:
    assert cost(1, 16 << 20) == 4096
    assert cost(500, 125_000) == 500
    assert cost(0, 0) == 1


def test_one_token_leaves_room_for_the_others() -> None:
    waiting = Waiting(100)
    assert waiting.hold("a", 50)
    assert not waiting.hold("a", 1)
    assert waiting.hold("b", 40)
    assert not waiting.hold("c", 11)
    waiting.give_back("a", 50)
    assert waiting.hold("c", 50)
    waiting.give_back("c", 50)
    waiting.give_back("b", 40)
    assert waiting.bytes == 0
