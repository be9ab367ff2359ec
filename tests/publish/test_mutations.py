"""Any change of a good file is counted right or refused by line: for each reader, good lines are written otherwise, and damaged.

*Written otherwise*: as another server, tool or editor would write the same visit. It must become the same visit. *Damaged*: cut, run
together, broken within. What is sent must be visits of the good file, and where one of them is missing a line is unreadable.
"""

import io
import json
import re
from collections import Counter
from functools import cache
from unicodedata import normalize
from urllib.parse import quote

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from streams.events import VisitEvent, decode
from streams.publish.event import pseudonym
from streams.publish.fields import Skip, means_nobody
from streams.publish.formats import FormatOptions, line_reader
from streams.publish.lines import read_lines
from streams.publish.outcomes import classify
from streams.publish.readers import Format, LineReader, Outgoing
from streams.settings import default_config_dir

SECRET = b"0123456789abcdef"
TS_MS = 1_788_242_400_000
Seen = tuple[str, str | None, str | None, str | None, int]

#: Letters of names, and what log writers, URLs and JSON write otherwise.
USERS = st.text(st.sampled_from("abcXYZ019é'œñÅ王._@ \\\"&=+;,[]{}/?#"), min_size=1, max_size=12).filter(
    lambda text: (
        text == normalize("NFC", text.strip())
        and not means_nobody(text)
        and not re.fullmatch(r"[\W_]+|\{\{.*\}\}", text)  # what a program writes that should have put a value there
        and " - " not in f"{text} "
        and " [" not in text
    )
)
SERVICES = {"/messagerie": "COURRIER_ELECTRONIQUE", "/cahier-de-textes": "CAHIER_TEXTES", "/blog": "PAGE_ENT"}


@cache
def reader(format_name: Format) -> LineReader:
    options: dict[Format, tuple[str | None, int | None]] = {
        Format.XITI: (None, TS_MS),
        Format.ENTCORE: ("enthdf", None),
    }
    question = FormatOptions(format_name, *options.get(format_name, (None, None)))
    return line_reader(question, default_config_dir(), lambda _project: SECRET)()


def run(format_name: Format, content: bytes) -> tuple[list[Seen], Counter[str], int]:
    """The visits that a file of this content gives, the kinds of its skipped lines, and how many were unreadable."""
    sent, skipped, unreadable = [], Counter[str](), 0
    for line in read_lines(io.BytesIO(content)):
        found = classify(line, reader(format_name))
        if isinstance(found, Outgoing):
            event = decode(found.value)
            assert isinstance(event, VisitEvent), found
            sent.append((event.visitor, event.project, event.uai, event.service, event.ts))
        elif isinstance(found, Skip):
            skipped[found.kind] += 1
        else:
            unreadable += 1
    return sent, skipped, unreadable


def log_escapes(text: str, style: str) -> bytes:
    """As nginx or Apache write a field."""
    written = b""
    for byte in text.encode():
        if chr(byte) in '"\\':
            written += b"\\%c" % byte if style == "apache" else b"\\x%02X" % byte
        elif byte > 126 and style in ("apache", "nginx"):
            written += (b"\\x%02x" if style == "apache" else b"\\x%02X") % byte
        else:
            written += bytes([byte])
    return written


STYLES = st.sampled_from(["nginx", "apache", "json"])
DAMAGE = st.sampled_from([b"", b"\0", b"\0" * 4096, b"\r", b"\t", b'"', b"\x1b[0m"])


def user_written(user: str) -> st.SearchStrategy[str]:
    """The ways in which a name is written before it comes to a log."""
    once = quote(user, safe="")
    twice = [once, small(once), quote(user, safe="@/;,"), quote(once)] if "%" in once else []
    return st.sampled_from([user, normalize("NFD", user), f" {user} ", *twice])


def small(encoded: str) -> str:
    """Percent-encoding in small letters."""
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)


# --- combined


def combined_line(
    user: bytes, target: bytes, *, front: bytes = b"ent-0750711.exemple.fr 203.0.113.7 -", tail: bytes = b""
) -> bytes:
    return (
        front
        + b" "
        + user
        + b' [01/Sep/2026:08:00:00 +0200] "GET '
        + target
        + b' HTTP/1.1" 200 512 "-" "Mozilla/5.0 (X11)"'
        + tail
    )


def combined_visit(user: str, path: str) -> Seen:
    return pseudonym(SECRET, user), "pcn", "0750711R", SERVICES[path], TS_MS


FRONTS = [
    b"ent-0750711.exemple.fr:443 203.0.113.7 -",
    b"ENT-0750711.exemple.fr. 2001:db8::7 -",
    b"ent-0750711.exemple.fr 203.0.113.7, 10.0.0.1 -",
    b"ent-0750711.exemple.fr -",
    b"ent-0750711.exemple.fr - -",
    b"<190>Sep  1 08:00:00 web nginx: ent-0750711.exemple.fr 203.0.113.7 -",
]
TARGETS = [
    "{}",
    "{}/",
    "/{}?a=/../%zz",
    "{};jsessionid=1A2B/x",
    "/x/..{}",
    "http://ent-0750711.exemple.fr:80{}/%C3%A9",
    "{}/a b",
]
TAILS = [b"", b" ", b"\r", b' "203.0.113.9, 10.0.0.1" rt=0.01']


@given(st.data())
def test_combined_written_otherwise(data: st.DataObject) -> None:
    user, path = data.draw(USERS), data.draw(st.sampled_from(list(SERVICES)))
    written = log_escapes(data.draw(user_written(user)), data.draw(STYLES))
    place = data.draw(st.sampled_from([path, path.replace("e", "%65"), path[:1] + "./" + path[1:]]))
    line = combined_line(
        written,
        data.draw(st.sampled_from(TARGETS)).format(place).encode(),
        front=data.draw(st.sampled_from(FRONTS)),
        tail=data.draw(st.sampled_from(TAILS)),
    )
    before = data.draw(st.sampled_from([b"", b"\xef\xbb\xbf", bytes(5000), b"\n", b"\0\0\n"]))
    sent, skipped, unreadable = run(Format.COMBINED, before + line + data.draw(st.sampled_from([b"", b"\n", b"\r\n"])))
    assert (sent, unreadable) == ([combined_visit(user, path)], 0), line
    assert set(skipped) <= {"empty line"}


@given(st.data())
def test_combined_damaged(data: st.DataObject) -> None:
    users = data.draw(st.lists(USERS, min_size=3, max_size=3))
    places = data.draw(st.lists(st.sampled_from(list(SERVICES)), min_size=3, max_size=3))
    lines = [combined_line(log_escapes(user, "nginx"), path.encode()) for user, path in zip(users, places, strict=True)]
    good = Counter(combined_visit(*each) for each in zip(users, places, strict=True))
    behind_the_front = lines[0].index(b" - ") + 3
    damage(Format.COMBINED, data, lines, good, behind_the_front)


def damage(format_name: Format, data: st.DataObject, lines: list[bytes], good: Counter[Seen], first: int) -> None:
    """Cut a line from `first` on, put something in its place, and let the next line follow with or without a newline."""
    at = data.draw(st.integers(first, len(lines[0]) - 1))
    until = data.draw(st.sampled_from([at, len(lines[0])]))
    piece = data.draw(DAMAGE)
    end = data.draw(st.sampled_from([b"\n", b""]))
    if (until == at and not piece and end) or (piece == b'"' and lines[0][:at].endswith(b"\\")):
        return  # whole; an escaped quote, which a name may hold
    content = lines[0][:at] + piece + lines[0][until:] + end + b"\n".join(lines[1:]) + b"\n"
    sent, skipped, unreadable = run(format_name, content)
    assert not Counter(sent) - good, content
    assert unreadable or Counter(sent) == good, content
    assert not skipped, content


# --- hits


def hit(at: bytes, *, p: bytes = b"Cahier_Textes") -> bytes:
    return b"/hit.xiti?s=1001&s2=54&p=" + p + b"&at=" + at + b"&ac=1&x1=9&x2=1&x3=12&x4=3"


def hit_visit(user: str) -> Seen:
    return pseudonym(SECRET, user), "mbn", "0541234Y", "CAHIER_TEXTES", TS_MS


def logged(target: bytes) -> bytes:
    return b'198.51.100.1 - - [01/Sep/2026:08:00:00 +0200] "GET ' + target + b' HTTP/1.1" 200 43 "-" "Mozilla/5.0"'


HIT_PATHS = [
    b"/hit.xiti",
    b"//hit.xiti",
    b"/HIT.xiti",
    b"/hit%2exiti",
    b"http://logs.exemple.fr/hit.xiti",
    b"/hit.xiti;a=b",
]


@given(st.data())
def test_hits_written_otherwise(data: st.DataObject) -> None:
    user = data.draw(USERS)
    text = data.draw(user_written(user))
    at = quote(text, safe=data.draw(st.sampled_from(["", "@/?;,'"])))
    at = data.draw(st.sampled_from([at, at.replace("%20", "+"), small(at)]))
    target = hit(at.encode(), p=data.draw(st.sampled_from([b"Cahier_Textes", b"\xe9", "é".encode(), b"%E9"])))
    target = target.replace(b"/hit.xiti", data.draw(st.sampled_from(HIT_PATHS)))
    target = target.replace(b"&", data.draw(st.sampled_from([b"&", b"&amp;"])))
    line = data.draw(st.sampled_from([target, logged(target), logged(log_escapes(target.decode("latin-1"), "none"))]))
    sent, skipped, unreadable = run(Format.XITI, line + data.draw(st.sampled_from([b"", b"\n", b"\r\n"])))
    assert (sent, skipped, unreadable) == ([hit_visit(user)], Counter(), 0), line


@given(st.data(), st.booleans())
def test_hits_damaged(data: st.DataObject, in_a_log: bool) -> None:
    users = data.draw(st.lists(USERS, min_size=3, max_size=3))
    lines = [hit(quote(user, safe="").encode()) for user in users]
    first = len(lines[0])  # of a hit that is cut, and ends there, nobody can tell that it is
    if in_a_log:
        lines, first = [logged(line) for line in lines], 20
        damage(Format.XITI, data, lines, Counter(map(hit_visit, users)), first)
        return
    at = data.draw(st.integers(len(b"/hit.xiti?s=1"), first))
    content = lines[0][:at] + data.draw(DAMAGE.filter(lambda piece: piece != b"\r")) + b"\n".join(lines[1:])
    sent, skipped, unreadable = run(Format.XITI, content)
    assert (sent, skipped, unreadable) == ([hit_visit(users[2])], Counter(), 1), content


# --- events of entcore servers


def entcore_event(user: str) -> dict[str, object]:
    return {
        "event-type": "ACCESS",
        "module": "Conversation",
        "date": TS_MS,
        "userId": user,
        "profil": "Student",
        "structures": ["7b6cf2b4-0f1c-4c8e-9a5d-2f4c1e9d0a11"],
        "ua": 'Mozilla/5.0 "x": \\',
    }


def entcore_visit(user: str) -> Seen:
    return pseudonym(SECRET, user), "enthdf", "0590001F", "COURRIER_ELECTRONIQUE", TS_MS


OTHERS = [None, 'é\\"', 1.5, [], {"a": {"b": [{"c": 1}, "d"]}}, {"a": 1, "b": {"a": 2}}, ['": '], "😀"]


@given(st.data())
def test_events_written_otherwise(data: st.DataObject) -> None:
    user = data.draw(USERS)
    event = entcore_event(data.draw(user_written(user)))
    event["date"] = data.draw(st.sampled_from([TS_MS, float(TS_MS), {"$numberLong": str(TS_MS)}]))
    event["other"] = data.draw(st.sampled_from(OTHERS))
    order = data.draw(st.permutations(list(event)))
    separators = data.draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :\t")]))
    escaped = data.draw(st.booleans())
    line = json.dumps({name: event[name] for name in order}, ensure_ascii=escaped, separators=separators).encode()
    before = data.draw(st.sampled_from([b"", b"\xef\xbb\xbf", bytes(5000)]))
    sent, skipped, unreadable = run(Format.ENTCORE, before + line + data.draw(st.sampled_from([b"", b"\n", b" \r\n"])))
    assert (sent, skipped, unreadable) == ([entcore_visit(user)], Counter(), 0), line


@given(st.data())
def test_events_damaged(data: st.DataObject) -> None:
    users = data.draw(st.lists(USERS, min_size=3, max_size=3))
    lines = [orjson.dumps(entcore_event(user)) for user in users]
    damage(Format.ENTCORE, data, lines, Counter(map(entcore_visit, users)), 1)


@given(USERS, USERS, st.sampled_from(list(entcore_event(""))))
def test_a_member_given_twice_is_never_a_guess(one: str, other: str, member: str) -> None:
    first, second = orjson.dumps(entcore_event(one)), orjson.dumps({member: entcore_event(other)[member]})
    sent, skipped, unreadable = run(Format.ENTCORE, first[:-1] + b"," + second[1:])
    assert (sent, skipped, unreadable) == ([], Counter(), 1)


# --- events of the contract


def native_event(visitor: str) -> dict[str, object]:
    return {"v": 1, "id": "e", "ts": TS_MS, "project": "mbn", "uai": "0541234Y", "service": "NOTES", "visitor": visitor}


def native_visit(visitor: str) -> Seen:
    return visitor, "mbn", "0541234Y", "NOTES", TS_MS


@given(st.text(min_size=1, max_size=20), st.booleans(), st.sampled_from([b"", b"\xef\xbb\xbf", bytes(5000), b"\n"]))
@example("\N{COMBINING ACUTE ACCENT}", True, b"")
def test_native_written_otherwise(visitor: str, escaped: bool, before: bytes) -> None:
    """A visitor is a pseudonym: it stays what it is, to the letter."""
    try:
        line = json.dumps(native_event(visitor), ensure_ascii=escaped).encode()
        visitor.encode()
    except UnicodeEncodeError:
        return
    for end in (b"", b"\n", b"\r\n"):
        sent, skipped, unreadable = run(Format.NATIVE, before + line + end)
        assert (sent, unreadable) == ([native_visit(visitor)], 0)
        assert set(skipped) <= {"empty line"}


@given(st.data())
def test_native_damaged(data: st.DataObject) -> None:
    lines = [orjson.dumps(native_event(visitor)) for visitor in ("a" * 64, "b" * 64, "c" * 64)]
    good = Counter(native_visit(each * 64) for each in "abc")
    damage(Format.NATIVE, data, lines, good, 1)


# --- whatever it is

PIECES = st.sampled_from(
    [
        *(
            b" ",
            b"  ",
            b"-",
            b" - ",
            b"[",
            b"]",
            b'"',
            b'""',
            b"\\",
            b'\\"',
            b"\\xC3",
            b",",
            b", ",
            b":",
            b";",
            b"%",
            b"%C3%A9",
            b"\xe9",
        ),
        *(
            b"\0",
            b"\r",
            b"\xef\xbb\xbf",
            b"203.0.113.7",
            b"::1",
            b"ent.exemple.fr",
            b"<1>",
            b"Sep  1 08:00:00 w n: ",
            b"u",
            b"null",
        ),
        *(
            b' [01/Sep/2026:08:00:00 +0200] "',
            b"GET ",
            b"/messagerie",
            b"/hit.xiti?",
            b"at=1",
            b"&",
            b"x3=12",
            b' HTTP/1.1" 200 5',
            b"/..",
        ),
        *(
            b'{"event-type":"ACCESS"',
            b'"date":1',
            b'"userId":',
            b'"u"',
            b"}",
            b"{",
            b"[" * 1100,
            b"1e999",
            b"NaN",
            b"\\ud800",
            b"http://",
        ),
    ]
)


@given(st.sampled_from(list(Format)), st.lists(PIECES, max_size=14).map(b"".join))
def test_no_line_ends_a_run(format_name: Format, content: bytes) -> None:
    for line in read_lines(io.BytesIO(b"\n\n" + content)):
        found = classify(line, reader(format_name))
        assert isinstance(found, Outgoing | Skip) or found.why
