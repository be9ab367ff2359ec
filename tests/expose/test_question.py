"""Parameters of the minutes: what is read, and what is refused with which words."""

import asyncio
import contextlib
import re

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import InputError
from streams.expose.answers import API, State, add_errors
from streams.expose.minutes_query import GROUPINGS, read_by, read_question, read_time

START_MS = 1_788_242_580_000  # 2026-09-01T06:03:00Z


@pytest.mark.parametrize(
    "text",
    [
        "2026-09-01T06:03:00Z",
        "2026-09-01T06:03Z",
        "2026-09-01T06:03:00.000Z",
        "2026-09-01t06:03:00z",
        "2026-09-01T08:03:00+02:00",
        "2026-09-01T08:03:00 02:00",  # a + that was not escaped in an address
        "2026-09-01T06:03:00",  # naive is UTC
        "2026-09-01 06:03",
        " 2026-09-01T02:03:00-04:00 ",
    ],
)
def test_times(text):
    assert read_time("from", text) == START_MS


@pytest.mark.parametrize("text", ["", "now", "2026-09-31T00:00:00Z", "2026-13-01", "06:03", "1788242580", "2" * 500])
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(InputError, match=r"^to: .* is not a time; write ISO 8601 .* for instance 2026-09-01T06:00:00Z"):
        read_time("to", text)


@given(st.text(max_size=50) | st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()))
def test_any_text_is_a_time_or_an_input_error(text):
    with contextlib.suppress(InputError):
        assert isinstance(read_time("from", text), int)


def test_bounds_are_half_open_on_starts_of_minutes():
    minute = START_MS // 60_000
    asked = read_question("2026-09-01T06:03:00Z", "2026-09-01T06:05:00Z", None)
    assert (asked.first, asked.end) == (minute, minute + 2)
    inside = read_question("2026-09-01T06:03:00.001Z", "2026-09-01T06:05:00.001Z", None)
    assert (inside.first, inside.end) == (minute + 1, minute + 3)
    open_ended = read_question(None, None, None)
    assert (open_ended.first, open_ended.end) == (None, None)


def test_from_after_to_is_refused():
    with pytest.raises(InputError, match="from is after to"):
        read_question("2026-09-02T00:00:00Z", "2026-09-01T00:00:00Z", None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("region,service", "region,service"),
        ("service, region", "region,service"),
        ("region,profile", "profile,region"),
        ("none", "none"),
        *((name, name) for name in GROUPINGS),
    ],
)
def test_groupings(text, name):
    assert read_by(text).name == name


@pytest.mark.parametrize("text", ["", "Region", "region,region", "project,region", "region,service,profile", "x" * 500])
def test_other_groupings_are_refused_with_those_that_exist(text):
    with pytest.raises(InputError) as caught:
        read_by(text)
    message = str(caught.value)
    assert all(name in message for name in GROUPINGS)
    assert len(message) < 300


def test_without_a_measure_all_that_the_grouping_has_is_given():
    assert read_question(None, None, "region").measures == ("events", "visits", "users")
    assert read_question(None, None, "region,service").measures == ("events", "visits")
    assert read_question(None, None, "region", "visits").measures == ("visits",)


@pytest.mark.parametrize(
    ("by", "measure", "words"),
    [
        ("region", "hits", "'hits' is not measured; allowed: events, visits, users"),
        # They never add up: nothing is made up where they were not counted.
        ("region,service", "users", "not counted by region,service; allowed by: region | project | academy | none"),
        ("profile", "users", "allowed by: region | project | academy | none"),
    ],
)
def test_other_measures_are_refused_with_those_that_exist(by, measure, words):
    with pytest.raises(InputError, match=re.escape(words)):
        read_question(None, None, by, measure)


def test_users_are_counted_under_four_groupings_only():
    assert {name for name, grouping in GROUPINGS.items() if grouping.users} == {"region", "project", "academy", "none"}


def test_a_sum_is_shown_only_of_what_adds_up():
    assert GROUPINGS["region"].adds_up("visits")
    assert not GROUPINGS["region,service"].adds_up("visits")
    assert not GROUPINGS["service"].adds_up("visits")
    assert all(grouping.adds_up("events") and not grouping.adds_up("users") for grouping in GROUPINGS.values())


def test_a_parameter_that_is_misspelt_or_given_twice_is_refused() -> None:
    app = FastAPI()
    add_errors(app)

    @app.get("/asked", **API)
    def asked(state: State) -> str:
        return state

    async def statuses(*questions: str) -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://observer") as client:
            return [(await client.get(f"/asked?{question}")).status_code for question in questions]

    asks = ("state=all", "state=all&stat=all", "state=all&state=ended", "state=all&state=all", "state=&state=all")
    assert asyncio.run(statuses(*asks)) == [200, 422, 422, 422, 422]
