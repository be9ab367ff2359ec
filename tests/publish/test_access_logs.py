"""Lines of access logs as Apache, nginx, HAProxy and syslog really write them: read right, skipped for what they are, or unreadable."""

import shutil
from pathlib import Path

import pytest

from streams.errors import SettingsError
from streams.publish.fields import NOT_AUTHENTICATED, Skip, Unreadable
from streams.publish.formats import FormatOptions, line_reader
from streams.publish.readers import Format, Outgoing
from streams.settings import default_config_dir
from tests.publish.logs import HOST, OTHER, SECRET, line, read, visit

# --- who


USERS = {
    "nginx": rb"am\xC3\xA9lie",
    "Apache": rb"am\xc3\xa9lie",
    "JSON": rb"am\u00e9lie",
    "Latin-1": b"am\xe9lie",
    "Latin-1, escaped": rb"am\xE9lie",
    "percent-encoded": b"am%C3%A9lie",
    "percent-encoded in small letters": b"am%c3%a9lie",
    "percent-encoded Latin-1": b"am%E9lie",
    "percent-encoded twice": b"am%25C3%25A9lie",
    "JavaScript's escape": b"am%u00e9lie",
    "decomposed": "ame\N{COMBINING ACUTE ACCENT}lie".encode(),
    "decomposed, escaped": rb"ame\xCC\x81lie",
    "quoted": '"amélie"'.encode(),
    "blanks around it": " amélie ".encode(),
}


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
def test_one_user_is_one_person_however_written(user: bytes) -> None:
    assert read(line(user)) == visit("amélie")


@pytest.mark.parametrize(
    ("written", "user"),
    [
        (rb"ACA\\bob", r"ACA\bob"),
        (rb"ACA\x5Cbob", r"ACA\bob"),
        (rb"ACA\bob", r"ACA\bob"),
        (rb"ACA\u1234", r"ACA\u1234"),
        (rb"ACA\\xe9", r"ACA\xe9"),
        (rb"a\"b", 'a"b'),
        (rb"a\x22b", 'a"b'),
        (rb'"a \"b\" c"', 'a "b" c'),
        (b"Dupont, Jean", "Dupont, Jean"),
        (b"Dupont - parent", "Dupont - parent"),
        (b"a[b]", "a[b]"),
        (b"100%", "100%"),
        (b"jean%40exemple.fr", "jean@exemple.fr"),
        (b"jean+x@exemple.fr", "jean+x@exemple.fr"),
        (b"lec\x9cur", "lecœur"),
        ("王".encode(), "王"),
        (b"00", "00"),
        (b"031415", "031415"),
    ],
)
def test_users_in_plain_form_stay_what_they_are(written: bytes, user: str) -> None:
    assert read(line(written)) == visit(user)


@pytest.mark.parametrize(
    "user",
    [
        *(
            b"-",
            b"",
            b" ",
            b'""',
            b'"-"',
            b'" "',
            b"undefined",
            b"null",
            b"NULL",
            b"nil",
            b"None",
            b"(null)",
            b"anonymous",
            b"guest",
            b"nobody",
            b"0",
            b"-1",
        ),
        *(
            b"anonymousUser",
            b"unknown",
            b"N/A",
            rb"\N",
            rb"\"\"",
            b"%20",
            b"%2D",
            rb"\x20",
            "\N{NO-BREAK SPACE}".encode(),
            b"- -",
            b"- undefined",
        ),
    ],
)
def test_names_that_mean_nobody(user: bytes) -> None:
    assert read(line(user)) == NOT_AUTHENTICATED


@pytest.mark.parametrize("user", [rb"a\x00b", rb"a\x09b", b"a%00b", b"a%0Ab", rb"a\xE2\x80\x8Bb", b"%2525252525252541"])
def test_users_that_cannot_be_told(user: bytes) -> None:
    assert isinstance(read(line(user)), Unreadable)
    assert read(line(user, rest=b'401 5 "-" "M"')) == Skip("answer 4xx"), "what would not count need not be readable"


# --- where


@pytest.mark.parametrize(
    ("front", "project"),
    [
        (HOST + b":443 203.0.113.7 -", "pcn"),
        (HOST.upper() + b". 203.0.113.7 -", "pcn"),
        (HOST + b": 203.0.113.7 -", "pcn"),
        (HOST + b" 2001:db8::7 -", "pcn"),
        (HOST + b" [2001:db8::7]:5123 -", "pcn"),
        (HOST + b" client.fournisseur.fr -", "pcn"),
        (HOST + b" 203.0.113.7, 10.0.0.1 -", "pcn"),
        (HOST + b" 203.0.113.7,10.0.0.1:80,unknown -", "pcn"),
        (HOST + b" unknown, 2001:db8::7 -", "pcn"),
        (HOST + b" - -", "pcn"),
        (HOST + b" 203.0.113.7 - -", "pcn"),
        (HOST + b"  203.0.113.7  -", "pcn"),
        (HOST + b" 203.0.113.7 ident", "pcn"),
        (HOST + b" -", "pcn"),
        (b"203.0.113.7, 10.0.0.1 -", "pcn"),
        (b"203.0.113.7, 10.0.0.1, 10.0.0.2 -", "pcn"),
        (b"- -", "pcn"),
        (b"- 203.0.113.7 -", "pcn"),
        (b"_ 203.0.113.7 -", "pcn"),
        (b"client.fournisseur.fr -", "pcn"),
        (b"<190>Sep  1 07:52:01 web1 nginx: " + HOST + b" 203.0.113.7 -", "pcn"),
        (b"Sep  1 07:52:01 web1 httpd[312]: 203.0.113.7 -", "pcn"),
        (b"2026-09-01T07:52:01.123456+02:00 web1 nginx: 203.0.113.7 -", "pcn"),
        (b"<190>1 2026-09-01T05:52:01Z web1 nginx 312 - - 203.0.113.7 -", "pcn"),
        (b'<190>1 2026-09-01T05:52:01Z web1 nginx 312 - [a b="c"] \xef\xbb\xbf203.0.113.7 -', "pcn"),
    ],
)
def test_hosts_addresses_and_prefixes(front: bytes, project: str) -> None:
    assert read(line(front=front)) == visit("amélie", project)


@pytest.mark.parametrize(
    "front",
    [
        b"203.0.113.7 10.0.0.1 -",
        b"203.0.113.7, 10.0.0.1 10.0.0.2 -",
        HOST + b", proxy.exemple.fr 203.0.113.7 -",
        HOST + b", 203.0.113.7 -",
        HOST + b"," + HOST + b" 203.0.113.7 -",
        b"access.log:" + HOST + b" 203.0.113.7 -",
        b"https://" + HOST + b" 203.0.113.7 -",
        b"exemple..fr 203.0.113.7 -",
        b"[2001:db8::7]:443 203.0.113.7 -",
        b"203.0.113.7 - -",
        b"203.0.113.7 - am203.0.113.8 -",
        b"203.0.113.7 - am " + HOST + b" 2001:db8::7 -",
        b"web-1  | 203.0.113.7 -",
        b"2026-09-01T05:52:01.000000000Z stdout F 203.0.113.7 -",
        b"sept. 01 07:52:01 web1 nginx: 203.0.113.7 -",
        b'{"log":"203.0.113.7 -',
        b"haproxy[14389]: 203.0.113.7:33317",
        b"nginx: 203.0.113.7 -",
        b"one two three four",
        b"203.0.113.7",
        b"",
    ],
)
@pytest.mark.parametrize("project", [None, "pcn"])
def test_what_is_no_host_is_unreadable_and_not_somebody_elses(front: bytes, project: str | None) -> None:
    assert isinstance(read(line(front=front), project), Unreadable)


def test_nothing_before_the_time() -> None:
    for head in (b"", b" ", b"   ", b" - ", b"- ", b"-", b'"', b"\\", b" [", b","):
        raw = head + b' [01/Sep/2026:07:52:01 +0200] "GET /messagerie HTTP/1.1" 200 5 "-" "M"'
        assert isinstance(read(raw), Unreadable | Skip), head


def test_a_line_without_a_user_is_skipped_whatever_its_host() -> None:
    """A stranger sends any `Host`: it must not end every run with exit status 1."""
    for front in (b"203.0.113.7 198.51.100.1 -", HOST + b" - -", b"a,b 203.0.113.7 -"):
        assert read(line(b"-", front=front)) == NOT_AUTHENTICATED


def test_the_host_of_another_project_is_not_taken_for_who_asks() -> None:
    assert read(line(front=OTHER + b" -", target=b"/portail"), "pcn") == Skip("host without a row")
    assert read(line(front=OTHER + b" -")) == Skip("path without a row"), "not the messagerie of another host"
    assert read(line(front=b"ailleurs.exemple.fr 203.0.113.7 -")) == Skip("host without a row")


PATHS = {
    "path parameter": b"/messagerie;jsessionid=1A2B.n1",
    "path parameter before a member": b"/messagerie;v=1/boite;x=2?y",
    "encoded path parameter": b"/messagerie%3Bjsessionid=1A2B",
    "doubled slashes": b"//messagerie//boite",
    "dot members": b"/./blog/../messagerie/.",
    "encoded dot members": b"/blog/%2E%2e/messagerie",
    "above the root": b"/../messagerie",
    "encoded letters": b"/%6Dess%61gerie/%C3%A9",
    "encoded slash": b"/messagerie%2Fboite",
    "final slash": b"/messagerie/",
    "query": b"/messagerie?a=%zz;b=/../",
    "fragment": b"/messagerie#x",
    "raw blank": b"/messagerie/a b",
    "raw UTF-8": "/messagerie/é".encode(),
    "raw Latin-1": b"/messagerie/\xe9",
    "nginx escape": rb"/messagerie/\xC3\xA9\x22",
    "Apache escape": rb"/messagerie/\xc3\xa9\"",
    "absolute": b"http://" + HOST + b"/messagerie",
    "absolute with port and case": b"HTTPS://" + HOST.upper() + b":443/messagerie",
    "absolute with credentials": b"http://u:p@" + HOST + b"/messagerie",
    "encoded twice behind the row": b"/messagerie/https%253A%252F%252Fx",
}


@pytest.mark.parametrize("target", PATHS.values(), ids=PATHS)
def test_one_path_is_one_service_however_written(target: bytes) -> None:
    assert read(line(target=target)) == visit("amélie")


def test_parts_of_pages_and_the_root() -> None:
    for target in (b"/static/a.css;jsessionid=1", b"/a.CSS?v=2", b"/a%2ecss", b"/a.css/"):
        assert read(line(target=target)) == Skip("part of a page")
    for target in (b"/", b"//", b"/;jsessionid=1", b"/messageries", b"http://" + HOST, b"http://" + HOST + b"?x"):
        assert read(line(target=target)) == visit("amélie", service="PAGE_ENT")
    portal = line(front=OTHER + b" 203.0.113.7 -", target=b"/portail;jsessionid=1A2B")
    assert read(portal) == visit("amélie", "monlycee", "PAGE_ENT")


@pytest.mark.parametrize(
    "target",
    [b"/%2565messagerie/../%256Dessagerie", b"/messagerie%3Fx", b"/messagerie%", b"/messagerie/%zz", b"portail", b"*"],
)
def test_paths_that_cannot_be_told(target: bytes) -> None:
    assert isinstance(read(line(target=target)), Unreadable)


def test_rows_and_lines_are_written_alike(tmp_path: Path) -> None:
    for name in ("services", "profiles", "projects", "regions"):
        shutil.copy(default_config_dir() / f"{name}.yaml", tmp_path)
    row = "  - {host: %s, path: %s, project: pcn, service: NOTES}\n"
    (tmp_path / "combined.yaml").write_text(
        "places:\n" + row % ("École.Exemple.fr:8443", "/%C3%A9l%C3%A8ves/") + row % ('"[2001:DB8::1]"', "//notes")
    )
    lines = line_reader(FormatOptions(Format.COMBINED), tmp_path, lambda _project: SECRET)()
    for host, target in (
        ("xn--cole-9oa.exemple.fr", "/élèves"),
        ("école.exemple.fr", "/%c3%a9l%c3%a8ves/x"),
        ("[2001:db8::1]:443", "/notes/"),
    ):
        sent = lines.read(line(front=f"{host} 203.0.113.7 -".encode(), target=target.encode()))
        assert isinstance(sent, Outgoing), sent
    (tmp_path / "combined.yaml").write_text(
        "places:\n" + row % ("a.fr", "/b") + row % ("A.fr.", "/b/") + row % ("a b", "/")
    )
    with pytest.raises(SettingsError, match=r"(?s)row 3: needs host.*host a\.fr, path /b: listed twice"):
        line_reader(FormatOptions(Format.COMBINED), tmp_path, lambda _project: SECRET)


def test_haproxy_in_the_common_log_format_names_nobody() -> None:
    raw = b'10.0.1.2 - - [01/Sep/2026:07:52:01 +0200] "GET /messagerie HTTP/1.1" 200 2750 "" "" 33317 655 "http-in" "a" 10 ---- "1wt.eu"'
    assert read(raw) == NOT_AUTHENTICATED
