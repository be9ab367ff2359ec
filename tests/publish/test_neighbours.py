"""Odd but real lines: never somebody else's, never skipped as if they were nobody's."""

import pytest

from streams.publish.accesslog import Hit, read_hit
from streams.publish.fields import Skip, Unreadable, Visit, user_of
from streams.publish.xiti import XitiReader, XitiTables

READER = XitiReader(XitiTables({"mbn": "mbn"}, {}, {}, {}, {}), at_ms=1_795_975_200_000)
LOG = b'203.0.113.7 - - [29/Nov/2026:19:00:00 +0100] "GET %s HTTP/1.1" 200 43 "-" "M"'


@pytest.mark.parametrize(
    "target",
    [
        b"/hit.xiti?AT=u1&SERVICE=NOTES&PROJET=mbn",
        b"/hit.xiti?at=u1&service=NOTES&PROJET=mbn",
        b"/hit.xiti??at=u1&SERVICE=NOTES&PROJET=mbn",
        b"/hit.xiti?ref=http://x/?a=1&at=u1&SERVICE=NOTES&PROJET=mbn",
        b"/hit.xiti?at=u&1&SERVICE=NOTES&PROJET=mbn",
        b"/hit.xiti%3Fat=u1&SERVICE=NOTES&PROJET=mbn",
        b"/hit.xiti&at=u1&SERVICE=NOTES&PROJET=mbn",
        b"/hit.xiti?at%3Du1&SERVICE=NOTES&PROJET=mbn",
        b"/hit.xiti?at[]=u1&SERVICE=NOTES&PROJET=mbn",
        b"/hit.xiti?at%5B0%5D=u1&SERVICE=NOTES&PROJET=mbn",
        b"/hit.xiti?at=u1&X1=3&PROJET=mbn",
    ],
)
def test_a_hit_that_is_written_wrong_is_never_nobody_s_nor_somebody_else_s(target: bytes) -> None:
    assert isinstance(READER.read(LOG % target), Unreadable)


def test_who_asks_whether_it_may_send_a_hit_has_sent_none() -> None:
    line = LOG % b"/hit.xiti?at=u1&SERVICE=NOTES&PROJET=mbn"
    assert READER.read(line.replace(b"GET", b"OPTIONS")) == Skip("method OPTIONS")
    assert isinstance(READER.read(line.replace(b"GET", b"POST")), Visit)


@pytest.mark.parametrize(
    "target", [b"/hit.xiti?at=u1&&SERVICE=NOTES&PROJET=mbn&", b"/hit.xiti?at=u1&SERVICE=NOTES&PROJET=mbn&type=x"]
)
def test_what_else_is_in_a_hit_is_nothing_to_it(target: bytes) -> None:
    assert isinstance(READER.read(LOG % target), Visit)


@pytest.mark.parametrize(
    "user",
    [
        "?",
        "***",
        "~",
        "$remote_user",
        "${user}",
        "%{uid}e",
        "{{ user }}",
        "[object%20Object]",
        "<undefined>",
        "{}",
        "[]",
        "(unknown)",
    ],
)
def test_what_stands_for_a_user_is_none(user: str) -> None:
    assert isinstance(user_of(user.encode()), Unreadable)


@pytest.mark.parametrize("user", ["--", "—", ".", "_", "n.a.", "(not set)", "not_logged_in", "Visiteur", "%u"])
def test_what_says_that_nobody_is_logged_in_is_nobody(user: str) -> None:
    assert user_of(user.encode()) is None


def test_blanks_before_the_version_are_no_part_of_the_path() -> None:
    line = b'e.fr 203.0.113.7 - u1 [01/Sep/2026:08:03:12 +0200] "GET %s HTTP/1.1" 200 1'
    one, two = (read_hit(line % target) for target in (b"/messagerie ", b"/ma messagerie"))
    assert isinstance(one, Hit)
    assert isinstance(two, Hit)
    assert (one.target, two.target) == (b"/messagerie", b"/ma messagerie")
