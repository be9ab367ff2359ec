"""How clients of aiokafka reach Kafka: for those who read the log, and for the collector."""

import asyncio
from typing import Any

from aiokafka.abc import AbstractTokenProvider

from streams.broker import KafkaAddress
from streams.oauth import TokenSource


class AsyncTokens(AbstractTokenProvider):  # type: ignore[misc]
    """What aiokafka asks for a token; the endpoint may take its time."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def token(self) -> str:
        """The token of now."""
        return await asyncio.to_thread(self._source.token)


def async_client_options(address: KafkaAddress) -> dict[str, Any]:
    """Options of every aiokafka client."""
    options = {
        "bootstrap_servers": list(address.bootstrap_servers),
        "security_protocol": address.security_protocol,
        "ssl_context": address.ssl_context(),
        "sasl_mechanism": address.sasl_mechanism,
    }
    if address.oauth_token_url is not None:
        options["sasl_oauth_token_provider"] = AsyncTokens(address.tokens())
    elif address.sasl_mechanism is not None:
        options |= {"sasl_plain_username": address.sasl_username, "sasl_plain_password": address.sasl_password}
    return {name: value for name, value in options.items() if value is not None}
