"""Addresses as settings hold them: one server an URL, nothing in it that a client would pass over in silence or trip over later.

Only Sentinel's has several hosts: those that are asked where the one server is. A collector's address comes with its token.
"""

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from streams.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_.])?")
_PORT = re.compile("[0-9]{1,5}")
_DATABASE = re.compile("/?|/[0-9]+")
_SERVICE = re.compile(r"/([A-Za-z0-9._-]+)(/[0-9]+)?/?")
SENTINEL_SCHEMES = ("redis+sentinel", "rediss+sentinel")
SENTINEL_PORT = 26379


@dataclass(frozen=True, slots=True)
class SentinelPlace:
    """Sentinels (host, port), the name under which they know the servers, and the number of the database."""

    hosts: tuple[tuple[str, int], ...]
    service: str
    database: int
    tls: bool


def check_host_port(text: str) -> None:
    """Hold that a text is `host:port`, an IPv6 address in brackets.

    Raises:
        ValueError: why it is not.
    """
    host, _, port = text.rpartition(":")
    if "://" in text or "/" in text:
        raise ValueError(f"{text!r} is an URL: write host:port alone")
    if not host or not _PORT.fullmatch(port) or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is not host:port")
    _check_host(host)


def check_address(text: str) -> IPv4Address | IPv6Address:
    """Hold that a text is the address of one machine.

    Raises:
        ValueError: it is not.
    """
    try:
        return ip_address(text.strip("[]"))
    except ValueError:
        raise ValueError(f"{text!r} is no address of one machine: write it as 10.0.0.5 or ::1") from None


def host_port(host: str, port: int) -> str:
    """Join an address and a port as a URL has them: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach a server that listens there."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def check_redis_url(url: str) -> None:
    """Hold that a URL names one Redis, and nothing but its place.

    `redis://host:6379/0`, `rediss://...`, `unix:///path?db=0`, or `redis+sentinel://host:26379,host2:26379/service/0` (`rediss+sentinel://`
    for TLS to both).

    Raises:
        ValueError: why it does not; a password is not shown.
    """
    parts = _split(url)
    if parts.scheme in SENTINEL_SCHEMES:
        _check_sentinels(parts)
        return
    if parts.scheme == "unix":
        if parts.netloc or len(parts.path) < 2:
            raise ValueError("names no socket: write unix:///run/redis/redis.sock, with three slashes")
        if parts.query and not re.fullmatch("db=[0-9]+", parts.query):
            raise ValueError("has another option than db: other options are settings of their own")
        return
    if "," in parts.netloc:
        raise ValueError(
            "names several servers: write the address of one, or, where sentinels know which one is the primary, theirs: "
            "redis+sentinel://a:26379,b:26379/service/0"
        )
    _check_server(parts, 6379)
    if not _DATABASE.fullmatch(parts.path):
        raise ValueError(f"ends with {parts.path!r}, which is no number of a database: write for instance /0")
    if parts.query:
        raise ValueError("has options after a question mark: other options are settings of their own")


def _check_sentinels(parts: SplitResult) -> None:
    if "@" in parts.netloc:
        _refuse_login()
    for one in parts.netloc.split(","):
        _check_server(parts._replace(netloc=one), SENTINEL_PORT)
    if not _SERVICE.fullmatch(parts.path):
        raise ValueError(
            f"ends with {parts.path!r}: write the name under which the sentinels know the servers, and the number of a database, as in "
            "/mymaster/0"
        )
    if parts.query:
        raise ValueError("has options after a question mark: other options are settings of their own")


def sentinel_place(url: str) -> SentinelPlace | None:
    """What a URL that `check_redis_url` took says of sentinels; None where it names no sentinel."""
    parts = urlsplit(url)
    if parts.scheme not in SENTINEL_SCHEMES:
        return None
    named = [urlsplit(f"redis://{one}") for one in parts.netloc.split(",")]
    hosts = tuple((one.hostname or "", one.port or SENTINEL_PORT) for one in named)
    service, database = _SERVICE.fullmatch(parts.path).groups()  # type: ignore[union-attr]  # it was checked
    return SentinelPlace(hosts, service, int((database or "/0")[1:]), parts.scheme.startswith("rediss"))


def check_http_url(url: str, *, may_log_in: bool = False) -> None:
    """Hold that a URL names one HTTP server; `may_log_in`: it may hold a user and a password.

    Raises:
        ValueError: why it does not.
    """
    parts = _split(url)
    _check_server(parts._replace(netloc=parts.netloc.rpartition("@")[2]) if may_log_in else parts, 80)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError("has brackets that are no IPv6 address: write for instance redis://[::1]:6379") from None


def _check_server(parts: SplitResult, usual_port: int) -> None:
    if "," in parts.netloc:
        raise ValueError("names several servers: write the address of one")
    if "@" in parts.netloc:
        _refuse_login()
    host, colon, port = parts.netloc.rpartition(":") if not parts.netloc.endswith("]") else (parts.netloc, "", "")
    if colon and not (_PORT.fullmatch(port) and 0 < int(port) < 65536):
        raise ValueError(f"has the port {port!r}: write a number of 1 to 65535, usually {usual_port}")
    host = host if colon else parts.netloc
    if not host:
        raise ValueError(f"names no host: write for instance {parts.scheme}://127.0.0.1:{usual_port}")
    _check_host(host)
    if parts.fragment:
        raise ValueError(f"has {'#' + parts.fragment!r} at its end: take it out")


def _refuse_login() -> None:
    raise ValueError("holds a user or a password, which would be shown: take them out, they are settings of their own")


def _check_host(host: str) -> None:
    if host.startswith("[") and host.endswith("]"):
        try:
            IPv6Address(host[1:-1])
        except ValueError:
            raise ValueError(f"{host} is no IPv6 address") from None
    elif ":" in host:
        raise ValueError(f"{host!r} has several colons: write an IPv6 address in brackets, [::1]")
    elif not _NAME.fullmatch(host):
        raise ValueError(f"{host!r} is no name of a host")


@dataclass(frozen=True, slots=True)
class CollectorAddress:
    """`url` is `https://host[:port]`, or `http://` on this machine; `cafile` is the PEM of the authority that signed its certificate, None:
    those that Python trusts. The token does not show in a `repr`.

    Raises:
        InputError: the address or the token cannot be used.
    """

    url: str
    token: str = field(repr=False)
    cafile: str | None = None

    def __post_init__(self) -> None:
        try:
            check_http_url(self.url)
            parts = urlsplit(self.url)
        except ValueError as error:
            raise InputError(f"The collector's address {error}") from None
        if parts.scheme not in ("https", "http") or parts.query:
            raise InputError(f"The collector's address is https://host:port, not {self.url!r}")
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise InputError(f"{self.url!r} would send the token in the clear: write https://")
        if not self.token or not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise InputError("A collector needs the token that `vigie token new` printed, as it is")


def is_collector(address: str) -> bool:
    """Whether a text names a collector, and not Kafka's brokers."""
    return address.startswith(("https://", "http://"))
