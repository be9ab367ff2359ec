"""How to reach Kafka: one value for every client of Vigie, and what their errors mean to a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streams.errors import KafkaUnavailable, descriptors_advice, listener_advice, tls_advice

# An ENT that logs in by password needs no HTTP. One without TLS needs no ssl, which is a sixth of the SDK's import.
if TYPE_CHECKING:
    import ssl

    from streams.oauth import TokenSource


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """Where Kafka is and who we are there."""

    bootstrap_servers: tuple[str, ...]
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = None
    #: With `OAUTHBEARER`: where tokens are asked for, as client `sasl_username` with the secret `sasl_password`.
    oauth_token_url: str | None = None
    oauth_scope: str | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    #: What a record batch may unpack to; whoever reads the log must be told the same, or counts otherwise.
    unpacked_bytes_max: int = 64 << 20

    def __repr__(self) -> str:
        return f"KafkaAddress({','.join(self.bootstrap_servers)}, {self.security_protocol})"

    def client_options(self) -> dict[str, Any]:
        """Options of every kafka-python client."""
        options = {
            "bootstrap_servers": list(self.bootstrap_servers),
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password,
            "ssl_cafile": self.ssl_cafile,
            "ssl_certfile": self.ssl_certfile,
            "ssl_keyfile": self.ssl_keyfile,
        }
        if self.oauth_token_url is not None:
            from streams.oauth import blocking_provider

            options["sasl_oauth_token_provider"] = blocking_provider(self.tokens())
        return {name: value for name, value in options.items() if value is not None}

    def tokens(self) -> TokenSource:
        """Where clients get their tokens, the same for all of a process."""
        from streams.oauth import token_source

        assert self.oauth_token_url is not None
        return token_source(
            self.oauth_token_url, self.sasl_username or "", self.sasl_password or "", self.oauth_scope, self.ssl_cafile
        )

    def ssl_context(self) -> ssl.SSLContext | None:
        """The TLS context for asyncio clients; None where the protocol has no TLS."""
        if not self.security_protocol.endswith("SSL"):
            return None
        import ssl

        context = ssl.create_default_context(cafile=self.ssl_cafile)
        if self.ssl_certfile and self.ssl_keyfile:
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
        return context

    @contextmanager
    def asking(self, *client_errors: type[Exception]) -> Iterator[None]:
        """Call Kafka within this, and nothing else: a `TimeoutError` of another server, or of a disk, is an `OSError` too.

        Raises:
            KafkaUnavailable: what a call raised, in one clear message.
        """
        kinds: tuple[type[Exception], ...] = (*client_errors, OSError)
        try:
            yield
        except kinds as error:
            raise self.explain(error) from error

    def explain(self, error: Exception, cause: str = "") -> KafkaUnavailable:
        """Turn a client error into one clear message; `cause` is what is known beside the error."""
        servers = ",".join(self.bootstrap_servers)
        text = cause or str(error) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
        name = f"{type(error).__name__} {cause}"
        hints = (
            descriptors_advice(text),
            ("Authentication" in name or "Sasl" in name)
            and "check kafka_security_protocol, kafka_sasl_username and kafka_sasl_password",
            "Authorization" in name and "give this user the rights listed in docs/operations/secure.md",
            tls_advice(text, "kafka_ssl_cafile", "kafka_security_protocol"),
            "SSL" in name and "check kafka_security_protocol and the kafka_ssl_ files",
            "DNS" in name and "correct the name in kafka_bootstrap_servers",
            listener_advice(text, "kafka_bootstrap_servers"),
        )
        hint = next(filter(None, hints), "start it (`vigie up` starts a local one), or set kafka_bootstrap_servers")
        return KafkaUnavailable(f"Kafka at {servers} does not answer as needed: {text}; {hint}")
