"""What a person is told where a server's certificate is refused: what to check, and never to start a server that runs."""

import gc
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams import topics
from streams.broker import KafkaAddress
from streams.errors import ServerError
from streams.live import LiveReader
from streams.live.connection import RedisAddress


def openssl(*words: str, directory: Path) -> None:
    subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, and certificates of the first: for this host, for another one, and one that is out of date."""
    directory = tmp_path_factory.mktemp("pki")
    for name in ("ca", "stranger"):
        openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"),
            *("-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}"),
            directory=directory,
        )
    for name, host, days in (
        ("right", "IP:127.0.0.1", "30"),
        ("other", "DNS:elsewhere.example.org", "30"),
        ("expired", "IP:127.0.0.1", "-1"),
    ):
        request = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}")
        openssl(*request, "-keyout", f"{name}.key", "-out", f"{name}.csr", directory=directory)
        (directory / f"{name}.ext").write_text(f"subjectAltName={host}\n")
        authority = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", f"{name}.ext")
        openssl(
            "x509", "-req", "-in", f"{name}.csr", *authority, "-out", f"{name}.pem", "-days", days, directory=directory
        )
    return directory


@contextmanager
def tls_server(certificate: Path | None) -> Iterator[int]:
    """Whoever connects gets a handshake with this certificate, or bytes that are no TLS."""
    listening = socket.create_server(("127.0.0.1", 0))
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    if context is None:
                        connection.recv(100)
                        connection.sendall(b"-ERR no TLS here\r\n")
                    else:
                        with context.wrap_socket(connection, server_side=True) as secured:
                            secured.recv(100)
                except OSError:
                    continue

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        listening.close()


def told(message: str, setting: str) -> None:
    assert "start it" not in message
    assert setting in message
    assert ("its certificate is refused" in message) != ("does not speak TLS" in message)


CASES = [("right", "stranger"), ("other", "ca"), ("expired", "ca"), (None, "ca")]


@pytest.mark.parametrize(("certificate", "authority"), CASES)
def test_redis_with_a_certificate_that_is_refused(pki: Path, certificate: str | None, authority: str) -> None:
    with tls_server(pki / f"{certificate}.pem" if certificate else None) as port:
        address = RedisAddress(f"rediss://127.0.0.1:{port}/0", tls_ca_file=str(pki / f"{authority}.pem"))
        reader = LiveReader(address, "vigie")
        with pytest.raises(ServerError) as raised:
            reader.snapshot()
        reader.close()
    told(str(raised.value), "redis_tls_ca_file" if certificate else "redis_url")


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # kafka-python leaves such a socket to the collector
@pytest.mark.parametrize(("certificate", "authority"), CASES)
def test_kafka_with_a_certificate_that_is_refused(
    pki: Path, certificate: str | None, authority: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "BOOTSTRAP_SECONDS_MAX", 1.0)
    with tls_server(pki / f"{certificate}.pem" if certificate else None) as port:
        address = KafkaAddress((f"127.0.0.1:{port}",), "SSL", ssl_cafile=str(pki / f"{authority}.pem"))
        with pytest.raises(ServerError) as raised, topics.admin_client(address):
            pass
    told(str(raised.value), "kafka_ssl_cafile" if certificate else "kafka_security_protocol")
    del raised
    gc.collect()
