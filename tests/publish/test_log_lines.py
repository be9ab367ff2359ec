"""Times, requests and ends of the lines of access logs, and lines that ran into each other."""

import time

import pytest

from streams.publish.fields import Skip, Unreadable
from tests.publish.logs import TS_MS, line, read, visit


@pytest.mark.parametrize(
    ("time", "ts_ms"),
    [
        (b"31/Aug/2026:22:52:01 -0700", TS_MS),
        (b"01/Sep/2026:05:52:01 +0000", TS_MS),
        (b"01/Sep/2026:05:52:01 -0000", TS_MS),
        (b"01/Sep/2026:11:22:01 +0530", TS_MS),
        (b"01/Sep/2026:07:52:01.25 +0200", TS_MS + 250),
        (b"01/Sep/2026:07:52:01.123456 +0200", TS_MS + 123),
        (b"01/Jan/2017:00:59:60 +0100", 1_483_228_800_000),
        (b"19/Jan/2038:03:14:08 +0000", 2_147_483_648_000),
        (b"29/Feb/2400:00:00:00 +0000", None),
        (b"31/Dec/1969:23:59:59 +0000", None),
        (b"31/Feb/2026:07:52:01 +0200", None),
        (b"01/Sep/2026:24:00:00 +0200", None),
        (b"01/Sep/2026:07:52:60 +0200", None),
        (b"01/Sep/2026:07:51:60 +0200", None),
        (b"01/Sep/2026:07:52:01 +1500", None),
        (b"01/Sep/2026:07:52:01 +0270", None),
        (b"01/Sep/2026:07:52:01", None),
        (b"01/Sep/2026:07:52:01 CEST", None),
        (b"01/sept./2026:07:52:01 +0200", None),
        ("01/Août/2026:07:52:01 +0200".encode(), None),
        ("٠١/Sep/2026:07:52:01 +0200".encode(), None),
        (b"01/09/2026:07:52:01 +0200", None),
        (b"2026-09-01T07:52:01+02:00", None),
    ],
)
def test_times(time: bytes, ts_ms: int | None) -> None:
    found = read(line(time=time))
    assert isinstance(found, Unreadable) if ts_ms is None else found == visit("amélie", ts_ms=ts_ms)


@pytest.mark.parametrize(
    "raw",
    [
        line() + line(),
        line()[:-9] + line(),
        line()[:30] + line(),
        line()[:40] + b"\0\0\0" + line(),
        line()[: line().index(b'] "') - 3] + line(),
        line() + b"\r" + line(),
        line(rest=b'200 5 "-" "M'),
        line(rest=b'200 5 "-" "M" "'),
        line(rest=b'200 5 "-" "M\0\0\0"'),
        line(rest=b"20"),
        line(rest=b'700 5 "-" "M"'),
        line(request=b"messagerie"),
        line(request=b"get /messagerie HTTP/1.1"),
        line(request=b"GET /messagerie HTTP/1.%1"),
        line().replace(b" ", b"\t"),
        line().decode().encode("utf-16-le"),
    ],
)
def test_lines_that_ran_into_each_other_or_were_cut(raw: bytes) -> None:
    assert isinstance(read(raw), Unreadable)


@pytest.mark.parametrize(
    "rest",
    [
        b"200 5",
        b"200 - ",
        b'304 0 "-" "a \\"b\\" c" "203.0.113.7, 10.0.0.1" 0.003 rt=0.1',
        b'200 5 "-" "M"\r',
        b"206 1",
    ],
)
def test_what_follows_the_answer_may_differ(rest: bytes) -> None:
    assert read(line(rest=rest)) == visit("amélie")


def test_requests_that_are_no_page() -> None:
    assert read(line(request=b"-", rest=b'408 0 "-" "-"')) == Skip("no request")
    assert read(line(request=b"-", rest=b'200 0 "-" "-"')) == Skip("no request")
    assert read(line(request=rb"\x16\x03\x01", rest=b'400 0 "-" "-"')) == Skip("answer 4xx")
    assert read(line(request=b"HEAD /messagerie HTTP/1.1")) == Skip("method HEAD")
    assert read(line(request=b"GET /messagerie", rest=b"200 5")) == visit("amélie"), "HTTP/0.9"
    assert read(line(request=b"GET /messagerie HTTP/3")) == visit("amélie")


def test_no_line_takes_long() -> None:
    """As long as a line may be: no pattern may need more than a look or a few at each byte."""
    begun = time.process_time()
    for piece in (
        b"a",
        b"1",
        b"1.",
        b"a:",
        b":",
        b"a, ",
        b" - ",
        b"[",
        b" [01/",
        b'"',
        b'\\"',
        b"\\",
        b" ",
        b"%25",
        b"/..",
        b";",
        b"-",
    ):
        long = piece * (100_000 // len(piece))
        for raw in (
            long,
            line(long),
            line(front=long),
            line(target=b"/" + long),
            line(rest=b"200 5 " + long),
            line(time=long),
        ):
            read(raw)
    assert time.process_time() - begun < 20
