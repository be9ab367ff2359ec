"""A quota of Kafka's for one client, for benches and tests: kafka-python knows the request and has no method for it."""

from collections.abc import Iterator
from contextlib import contextmanager

from kafka.protocol.admin.client_quotas import AlterClientQuotasRequest

from streams.broker import KafkaAddress
from streams.topics import admin_client


@contextmanager
def producer_quota(address: KafkaAddress, client_id: str, bytes_a_second: float) -> Iterator[None]:
    """What a client of this name writes is bounded until the block ends."""
    kind = AlterClientQuotasRequest.EntryData

    def say(*, remove: bool) -> None:
        bound = kind.OpData(key="producer_byte_rate", value=bytes_a_second, remove=remove)
        entry = kind(entity=[kind.EntityData(entity_type="client-id", entity_name=client_id)], ops=[bound])
        with admin_client(address) as client:

            async def ask() -> object:
                return await client._manager.send(AlterClientQuotasRequest(entries=[entry], validate_only=False))

            client._manager.run(ask)

    say(remove=False)
    try:
        yield
    finally:
        say(remove=True)
