"""How to reach a collector: what an ENT gives in place of Kafka's address."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from streams.addresses import check_http_url, is_loopback
from streams.errors import InputError


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
        parts = urlsplit(self.url)
        try:
            check_http_url(self.url)
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
