"""Whether anything bounds who writes to Kafka itself: one that floods holds up all others."""

from __future__ import annotations

from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.protocol.admin.client_quotas import DescribeClientQuotasRequest

from streams.errors import ServerError


def producer_quotas(client: KafkaAdminClient) -> int | None:
    """Return how many users, clients, or defaults of them have a bound on what they write; None where this user may not ask.

    kafka-python knows the question and has no method for it.
    """

    async def ask() -> Any:
        return await client._manager.send(DescribeClientQuotasRequest(components=[], strict=False))

    found: Any = client._manager.run(ask)
    if found.error_code == 31:  # CLUSTER_AUTHORIZATION_FAILED
        return None
    if found.error_code:
        raise ServerError(f"Kafka does not tell its quotas: error code {found.error_code}; see Kafka's log")
    return sum(any(value.key == "producer_byte_rate" for value in entry.values) for entry in found.entries or ())


def quotas_text(number: int | None) -> str:
    """What `producer_quotas` found, and what to do where that is nothing."""
    if number is None:
        return "are not told to this user: the right DescribeConfigs of the cluster is needed"
    if number:
        return f"{number} bound what users or clients write"
    return (
        "none bounds what a user writes: one that floods holds up all others; kafka-configs.sh --bootstrap-server ... --alter "
        "--entity-type users --entity-default --add-config producer_byte_rate=2097152"
    )
