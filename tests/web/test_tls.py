"""TLS of the one HTTP server: bounded like the rest, its files read again when they change."""

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from streams.errors import SettingsError
from streams.web import TlsFiles
from tests.certificates import make_certificate, trusting
from tests.waiting import wait_until
from tests.web.serving import BIG, Served, read_all, seconds_until_closed, serving

GET = b"GET /end HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
GET_BIG = b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
HEAD_SECONDS = 1.0


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr("streams.web.protocol.HEAD_SECONDS", HEAD_SECONDS)
    with serving(tls=TlsFiles(*make_certificate(tmp_path))) as one:
        yield one


def secured(served: Served, directory: Path) -> ssl.SSLSocket:
    return trusting(directory / "server.pem").wrap_socket(served.connect(), server_hostname="localhost")


def test_small_and_large_answers_and_a_connection_that_is_used_again(served: Served, tmp_path: Path) -> None:
    with closing(secured(served, tmp_path)) as one:
        one.sendall(GET)
        assert b"200 OK" in one.recv(1 << 16)
        one.sendall(GET_BIG)
        assert read_all(one).endswith(BIG)
    wait_until(lambda: served.open_connections == 0)


def test_a_slow_client_gets_all_of_a_large_answer(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.web.protocol.SHUTDOWN_SECONDS", 0.2)
    for request in (GET_BIG, GET_BIG.replace(b"Connection: close\r\n", b"")):
        with closing(secured(served, tmp_path)) as one:
            one.sendall(request)
            time.sleep(1.6)  # its answer is written, and the time of a connection at rest is over
            assert read_all(one).endswith(BIG)
    wait_until(lambda: served.open_connections == 0)


def test_a_client_that_reads_nothing_is_dropped(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.web.protocol.TAKE_SECONDS", 0.3)
    with closing(secured(served, tmp_path)) as one:
        one.sendall(GET_BIG)
        wait_until(lambda: served.open_connections == 0)


def test_a_client_that_reads_half_of_its_last_answer_is_dropped(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.web.protocol.TAKE_SECONDS", 2.0)
    with closing(secured(served, tmp_path)) as one:
        one.sendall(GET_BIG.replace(b"/big", b"/in_two"))
        taken = 0
        while taken <= len(BIG):  # the first part: the second one goes to the connection below
            taken += len(one.recv(1 << 16))
        wait_until(lambda: served.open_connections == 0)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", GET, b"\x16\x03\x01\x02\x00" + b"\x01" * 0x200])
def test_what_is_no_handshake_is_closed(served: Served, sent: bytes) -> None:
    with closing(served.connect()) as one:
        one.sendall(sent)
        assert seconds_until_closed(one) < 20
    wait_until(lambda: served.open_connections == 0)


def test_a_head_that_never_ends_is_closed_behind_a_handshake_too(served: Served, tmp_path: Path) -> None:
    with closing(secured(served, tmp_path)) as one:
        one.sendall(GET[:20])
        assert b"408 Request Timeout" in read_all(one)


def test_silent_clients_keep_nobody_out(tmp_path: Path) -> None:
    with serving(8, TlsFiles(*make_certificate(tmp_path))) as served, ExitStack() as opened:
        for _ in range(40):
            opened.enter_context(closing(served.connect("127.0.0.2")))
        with closing(secured(served, tmp_path)) as one:
            one.sendall(LAST)
            assert b"200 OK" in read_all(one)


def test_files_are_read_again_and_bad_ones_leave_what_was(served: Served, tmp_path: Path) -> None:
    old = trusting(tmp_path / "server.pem")
    good = [(tmp_path / name).read_bytes() for name in ("server.pem", "server.key")]
    (tmp_path / "server.key").write_bytes(good[1][:40])
    time.sleep(1.1)
    for _ in range(2):
        old.wrap_socket(served.connect(), server_hostname="localhost").close()
    make_certificate(tmp_path)

    def shown() -> bool:
        with suppress(ssl.SSLError):
            secured(served, tmp_path).close()
            return True
        return False

    wait_until(shown)
    with pytest.raises(ssl.SSLCertVerificationError):
        old.wrap_socket(served.connect(), server_hostname="localhost")


def test_files_that_cannot_be_shown_are_named(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    other = make_certificate(tmp_path, "other")
    locked = tmp_path / "locked.key"
    argv = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:x", "-out", str(locked)]
    subprocess.run(argv, check=True, capture_output=True)
    for pair in [
        (certificate, other[1]),
        (key, certificate),
        (certificate, tmp_path / "absent"),
        (certificate, locked),
    ]:
        with pytest.raises(SettingsError, match="tls_certfile"):
            TlsFiles(*pair)


def test_an_old_version_of_tls_is_refused(served: Served, tmp_path: Path) -> None:
    context = trusting(tmp_path / "server.pem")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError, socket.timeout)):
        context.wrap_socket(served.connect(), server_hostname="localhost")
