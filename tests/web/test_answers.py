"""What holds for every answer: HEAD, compression, headers."""

import gzip
from collections.abc import Iterator
from contextlib import closing

import pytest
from prometheus_client import CollectorRegistry

from streams.web.server import allows_gzip, encoder_for
from tests.web.serving import Served, read_all, serving


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as one:
        yield one


def ask(served: Served, method: str, path: str, *headers: str) -> tuple[list[str], bytes]:
    """Head lines but for the date, and body."""
    lines = "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", "Host: a", "Connection: close", *headers))
    head, _, body = served.exchange(f"{lines}\r\n".encode()).partition(b"\r\n\r\n")
    return [line for line in head.decode().lower().split("\r\n") if not line.startswith("date")], body


@pytest.mark.parametrize("path", ["/", "/some/path", "/metrics", "/big"])
def test_head_is_get_without_the_body(served: Served, path: str) -> None:
    got, body = ask(served, "GET", path)
    head, nothing = ask(served, "HEAD", path)
    assert head == got
    assert f"content-length: {len(body)}" in got
    assert nothing == b""


def test_head_of_a_stream_without_an_end_is_answered_and_the_stream_ends(served: Served) -> None:
    head, nothing = ask(served, "HEAD", "/forever")
    assert head[0] == "http/1.1 200 ok"
    assert "cache-control: no-cache" in head, "a route's own word stands"
    assert nothing == b""
    with closing(served.connect()) as one:  # and the connection goes on
        one.sendall(
            b"HEAD /forever HTTP/1.1\r\nHost: a\r\n\r\nGET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        assert read_all(one).endswith(b"/end")


def test_a_method_that_is_not_allowed_hears_which_are(served: Served) -> None:
    head, _body = ask(served, "POST", "/metrics", "Content-Length: 0")
    assert "http/1.1 405" in head[0]
    (allowed,) = (line for line in head if line.startswith("allow:"))
    assert {"get", "head"} <= set(allowed.removeprefix("allow: ").split(", "))


def test_every_answer_is_neither_sniffed_nor_stored(served: Served) -> None:
    for path in ("/", "/metrics", "/big"):
        head, _body = ask(served, "GET", path)
        assert "x-content-type-options: nosniff" in head
        assert "cache-control: no-store" in head


@pytest.mark.parametrize(
    ("values", "allowed"),
    [
        (["gzip"], True),
        (["GZIP;q=1.0"], True),
        (["deflate, gzip;q=0.5, br"], True),
        (["deflate", "gzip"], True),
        (["x-gzip"], True),
        (["*"], True),
        (["*;q=0.1"], True),
        ([], False),
        ([""], False),
        (["identity"], False),
        (["gzip;q=0"], False),
        (["gzip; q=0.000"], False),
        (["*;q=0"], False),
        (["gzip;q=0, *"], False),
        (["*, gzip;q=0"], False),
        (["deflate, br"], False),
        (["gzipped"], False),
        (["gzip;q=nonsense"], False),
    ],
)
def test_when_gzip_is_allowed(values: list[str], allowed: bool) -> None:
    assert allows_gzip(values) is allowed


def test_a_scrape_is_compressed_where_that_is_asked_for(served: Served) -> None:
    plain_head, plain = ask(served, "GET", "/metrics")
    head, packed = ask(served, "GET", "/metrics", "Accept-Encoding: gzip")
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain)
    assert "content-encoding: gzip" in head
    assert "content-encoding: gzip" not in plain_head
    assert "vary: accept, accept-encoding" in head
    assert "vary: accept, accept-encoding" in plain_head
    assert ask(served, "HEAD", "/metrics", "Accept-Encoding: gzip")[0] == head
    assert ask(served, "GET", "/metrics", "Accept-Encoding: gzip;q=0")[1] == plain


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text"),
        ("application/openmetrics-text;version=abc", "text/plain"),
        ('application/openmetrics-text;version="1.0.0"', "text/plain"),
        ("text/plain;version=1.0.0-rc", "text/plain"),
        ("text/plain;version=.;escaping==", "text/plain"),
        ("", "text/plain"),
    ],
)
def test_no_accept_header_fails_a_scrape(accept: str, content_type: str) -> None:
    encode, told = encoder_for(accept)
    assert told.startswith(content_type)
    assert encode(CollectorRegistry()) in (b"", b"# EOF\n")
