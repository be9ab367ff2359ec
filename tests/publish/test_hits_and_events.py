"""Hits of the marking plan and events of entcore servers as they really come: read right, skipped for what they are, or unreadable."""

from functools import cache
from typing import Any

import orjson
import pytest

from streams.events import VisitEvent, decode
from streams.publish.event import pseudonym
from streams.publish.fields import NOT_AUTHENTICATED, Skip, Unreadable
from streams.publish.formats import FormatOptions, line_reader
from streams.publish.readers import Format, LineReader, Outgoing
from streams.settings import default_config_dir

SECRET = b"0123456789abcdef"
AT_MS = 1_788_242_400_000
NOBODY = [
    "",
    " ",
    "-",
    "undefined",
    "null",
    "NULL",
    "nil",
    "None",
    "NaN",
    "(null)",
    "false",
    "anonymous",
    "anonymousUser",
    "guest",
    "Guest",
    "guestUser",
    "nobody",
    "anon",
    "invité",
    "Invit%C3%A9",
    "0",
    " 0",
    "-1",
]


@cache
def reader(format_name: Format) -> LineReader:
    options: dict[Format, tuple[str | None, int | None]] = {
        Format.XITI: (None, AT_MS),
        Format.ENTCORE: ("enthdf", None),
    }
    return line_reader(
        FormatOptions(format_name, *options[format_name]), default_config_dir(), lambda _project: SECRET
    )()


def event(found: object) -> VisitEvent:
    assert isinstance(found, Outgoing), found
    decoded = decode(found.value)
    assert isinstance(decoded, VisitEvent)
    return decoded


# --- hits


def bare(query: bytes) -> object:
    return reader(Format.XITI).read(b"/hit.xiti?" + query)


def logged(query: bytes, path: bytes = b"/hit.xiti") -> object:
    return reader(Format.XITI).read(
        b'203.0.113.7 - - [01/Sep/2026:08:00:00 +0200] "GET ' + path + b"?" + query + b' HTTP/1.1" 200 43 "-" "M"'
    )


@pytest.mark.parametrize("read", [bare, logged])
@pytest.mark.parametrize("name", [*NOBODY, "%20", "+", "%2D", "%C2%A0"])
def test_hits_of_nobody(read: Any, name: str) -> None:
    query = f"at={name.replace(' ', '%20')}&SERVICE=NOTES&PROJET=mbn".encode()
    assert read(query) == NOT_AUTHENTICATED


@pytest.mark.parametrize("read", [bare, logged])
@pytest.mark.parametrize(
    "at",
    [
        *(
            b"am%C3%A9lie",
            b"am%c3%a9lie",
            b"am%E9lie",
            b"am%u00e9lie",
            b"am%25C3%25A9lie",
            "amélie".encode(),
            b"am\xe9lie",
        ),
        *(b"ame%CC%81lie", b"%20am%C3%A9lie+", b"%61m%C3%A9lie"),
    ],
)
def test_one_person_of_a_hit_however_written(read: Any, at: bytes) -> None:
    label = b"&p=Cahier_\xe9"  # of another encoding than the person
    found = event(read(b"s2=54&at=" + at + b"&x3=12&x1=3" + label))
    assert (found.visitor, found.project, found.service, found.ts) == (
        pseudonym(SECRET, "amélie"),
        "mbn",
        "NOTES",
        AT_MS,
    )


def test_escapes_of_the_log_around_a_hit() -> None:
    for at in (rb"am\xC3\xA9lie", rb"am\xc3\xa9lie"):
        assert event(logged(b"x3=12&at=" + at)).visitor == pseudonym(SECRET, "amélie")
    assert event(bare(rb"x3=12&at=ACA\xe9")).visitor == pseudonym(SECRET, r"ACA\xe9"), "no log, no escapes"
    assert event(logged(b"x3=12&at=jean dupont")).visitor == pseudonym(SECRET, "jean dupont")


@pytest.mark.parametrize(
    "path",
    [
        b"//hit.xiti",
        b"/hit.xiti;v=1",
        b"/./hit.xiti",
        b"/hit%2Exiti",
        b"/HIT.xiti",
        b"/hit.xiti/",
        b"http://x/hit.xiti",
    ],
)
def test_one_path_of_hits(path: bytes) -> None:
    assert event(logged(b"at=31415&x3=12", path)).visitor == pseudonym(SECRET, "31415")


def test_what_says_nothing_is_not_there() -> None:
    found = event(bare(b"at=undefined&at=31415&SERVICE=undefined&x1=3&UAI=null&s2=54&PROJET=-&x3=12&TYPE=None&OUTIL="))
    assert (found.visitor, found.service, found.uai, found.project) == (
        pseudonym(SECRET, "31415"),
        "NOTES",
        "0541234Y",
        "mbn",
    )
    assert (found.type, found.tool) == (None, None)


def test_separators_and_referrers() -> None:
    assert event(bare(b"x3=12&amp;at=31415&amp;x1=3")).service == "NOTES"
    assert event(bare(b"x3=12&at=31415&x1=3&ref=https://ent.exemple.fr/?x1=9&at=7")).visitor == pseudonym(
        SECRET, "31415"
    )
    assert bare(b"x3=12&x1=3&ref=https://ent.exemple.fr/?a=1&at=7") == NOT_AUTHENTICATED, "that of the page before"
    assert event(bare(b"ref=https%3A%2F%2Fent.exemple.fr%2F%3Fa%3D1&x3=12&at=31415")).project == "mbn"


@pytest.mark.parametrize(
    "query",
    [
        *(
            b"x3=12;at=31415",
            b"x3%3D12%26at%3D31415",
            b"at=1&at=2&x3=12",
            b"at=1&x3=12&x3=31",
            b"at=1&SERVICE=NOTES&SERVICE=BLOG&x3=12",
        ),
        *(b"at=31415%&x3=12", b"at=%zz&x3=12", b"at=am%C3%A&x3=12", b"at=a%00b&x3=12", b"at=a%E2%80%8Bb&x3=12"),
        *(b"at=1&x3=4040", b"at=1", b"&".join(b"n%d=1" % n for n in range(100)) + b"&at=31415&x3=12"),
    ],
)
@pytest.mark.parametrize("read", [bare, logged])
def test_hits_that_cannot_be_told(read: Any, query: bytes) -> None:
    assert isinstance(read(query), Unreadable)


@pytest.mark.parametrize(
    "raw",
    [
        *(
            b"2026-09-01T08:00:00Z /hit.xiti?at=1&x3=12",
            b"GET /hit.xiti?x3=12&at=1 HTTP/1.1",
            b'"/hit.xiti?x3=12&at=1"',
        ),
        *(
            b"/hit.xiti?x3=12&at=1\r/hit.xiti?x3=12&at=2",
            b"/hit.xiti?x3=12&at=1 200 43",
            b"/hit.xiti?x3=12&at=1\0",
            b"/hit.xit?at=1",
        ),
        b'203.0.113.7 - - [01/Sep/2026:08:00:00 +0200] "/hit.xiti?at=1&x3=12" 200 43 "-" "M"',
        b'203.0.113.7 - - [01/Sep/2026:08:00:00 +0200] "GET /hit.xiti?x3=12&at=1 HTTP/1.%1" 200 43 "-" "M"',
        b'203.0.113.7 - - [01/Sep/2026:08:00:00 +0200] "GET /hit.xiti?x3=12&at=1 HTTP/1.1" 200 43 "-" "M',
    ],
)
def test_lines_around_hits_that_cannot_be_told(raw: bytes) -> None:
    assert isinstance(reader(Format.XITI).read(raw), Unreadable)


def test_other_requests_of_the_same_log() -> None:
    assert logged(b"at=1&x3=12", b"/xtcore.js") == Skip("no hit.xiti")
    assert logged(b"u=/hit.xiti%3Fat=1", b"/redirect") == Skip("no hit.xiti")
    assert logged(b"", b"/hit.xiti") == NOT_AUTHENTICATED


# --- events of entcore servers


def entcore(raw: bytes | None = None, **changed: Any) -> object:
    line = {
        "event-type": "ACCESS",
        "module": "Blog",
        "date": AT_MS,
        "userId": "u-1",
        "profil": "Teacher",
        "structures": ["s"],
    }
    return reader(Format.ENTCORE).read(orjson.dumps({**line, **changed}) if raw is None else raw)


@pytest.mark.parametrize("name", NOBODY)
def test_events_of_nobody(name: str) -> None:
    assert entcore(userId=name) == NOT_AUTHENTICATED


@pytest.mark.parametrize(
    "user", ["amélie", "ame\N{COMBINING ACUTE ACCENT}lie", " amélie", "am%C3%A9lie", "am%c3%a9lie"]
)
def test_one_person_of_an_event_however_written(user: str) -> None:
    assert event(entcore(userId=user)).visitor == pseudonym(SECRET, "amélie")


@pytest.mark.parametrize(
    ("member", "written"),
    [
        ("userId", "userid"),
        ("userId", "user_id"),
        ("userId", "USERID"),
        ("event-type", "eventType"),
        ("date", "Date"),
        ("module", "Module"),
        ("profil", "Profil"),
        ("structures", "STRUCTURES"),
    ],
)
def test_a_member_whose_name_is_written_otherwise_is_told(member: str, written: str) -> None:
    raw = GOOD.replace(b'"structures"', b'"profil":"Teacher","structures"').replace(member.encode(), written.encode())
    assert entcore(raw) == Unreadable(f"its member {member} is written {written!r}")
    both = raw[:-1] + b',"%s":%s}' % (member.encode(), orjson.dumps(orjson.loads(raw)[written]))
    assert isinstance(entcore(both), Outgoing), "what the store names right is there"


def test_users_that_are_somebody() -> None:
    """Close to what means nobody, and somebody all the same."""
    for user in ("1", "00", "-2", "guest1", "aguest", "nobody2"):
        assert event(entcore(userId=user)).visitor == pseudonym(SECRET, user)


def test_escapes_of_json() -> None:
    raw = (
        rb'{"event-type":"ACCESS","module":"Blog","date":1788242400000,"userId":"am\u00e9lie","structures":[1045,"s"]}'
    )
    found = event(entcore(raw))
    assert (found.visitor, found.uai) == (pseudonym(SECRET, "amélie"), "1045")
    assert event(entcore(raw.replace(b"e9", b"E9"))).visitor == found.visitor
    assert event(entcore(structures="s")).uai == "s"
    assert event(entcore(structures=[None, "s"])).uai == "s"
    assert event(entcore(structures=None)).uai is None
    assert event(entcore(module=" Blog ", profil=" Teacher")).service == "PRODUCTION_COLLABORATIVE"
    assert event(entcore(None, **{"event-type": " access"})).type == "NATIF"


GOOD = b'{"event-type":"ACCESS","module":"Blog","date":1788242400000,"userId":"u-1","structures":["s"]}'


@pytest.mark.parametrize(
    "raw",
    [
        GOOD.replace(b'"u-1"', b'"u-1","userId":"u-2"'),
        GOOD.replace(b'"u-1"', rb'"u-1","user\u0049d":"u-2"'),
        GOOD.replace(b'"u-1"', b'"u-1", "userId" : null'),
        GOOD.replace(b'"module"', b'"date":{"$numberLong":"1","$numberLong":"2"},"module"'),
        GOOD.replace(b'"u-1"', b"31415"),
        GOOD.replace(b'"u-1"', b"true"),
        GOOD.replace(b'"u-1"', b'["u-1"]'),
        GOOD.replace(b'"u-1"', rb'"u\u0000"'),
        GOOD.replace(b'"u-1"', rb'"u\ud800"'),
        GOOD.replace(b'"u-1"', b'"u\xff"'),
        GOOD.replace(b'"u-1"', rb'"u\n1"'),
        GOOD.replace(b'["s"]', b'{"a":"s"}'),
        GOOD.replace(b'["s"]', b"[true]"),
        GOOD.replace(b'["s"]', b"[" * 1000 + b"]" * 1000),
        GOOD.replace(b'["s"]', b'["s"],"x":' + b'{"y":' * 1010 + b"1" + b"}" * 1010),
        GOOD.replace(b'["s"]', b"[" * 100_000),
        GOOD.replace(b'"Blog"', b"3"),
        GOOD.replace(b"1788242400000", b"NaN"),
        GOOD.replace(b"1788242400000", b"1e400"),
        GOOD.replace(b"1788242400000", b"9" * 5000),
        GOOD.replace(b"1788242400000", b'"1788242400000"'),
        GOOD.replace(b"1788242400000", b"1788242400000.5"),
        GOOD + GOOD,
        GOOD + b",",
        GOOD + b"\r" + GOOD,
        GOOD[:-1],
        GOOD.decode().encode("utf-16"),
        GOOD.decode().encode("utf-16-be"),
    ],
    ids=range(28),
)
def test_events_that_cannot_be_told(raw: bytes) -> None:
    assert isinstance(entcore(raw), Unreadable)


def test_members_that_are_not_read_may_hold_anything() -> None:
    extra = b'"u-1","ua":"a \\":\\" b","x":{"y":[1,{"z":"w"}],"n":' + b"9" * 15 + b"}"
    assert event(entcore(GOOD.replace(b'"u-1"', extra))).visitor == pseudonym(SECRET, "u-1")
    assert event(entcore(GOOD.replace(b":", b" :\t"))).visitor == pseudonym(SECRET, "u-1")
