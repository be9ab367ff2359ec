"""The ENT's side: `VisitPublisher`, which an ENT server embeds, and the reading of files of events for `vigie publish`.

with VisitPublisher("kafka:9092", secrets={"mbn": secret}) as publisher:
    publisher.publish(service="CAHIER_TEXTES", uai="0541234Y", user_id="31415", profile="ELEVE")
"""

from streams.errors import BufferFull, NotDelivered
from streams.publish.event import new_event_id, pseudonym
from streams.publish.outbox import Deliveries, PublisherLimits, Undelivered
from streams.publish.publisher import PublisherHealth, VisitPublisher

__all__ = [
    "BufferFull",
    "Deliveries",
    "NotDelivered",
    "PublisherHealth",
    "PublisherLimits",
    "Undelivered",
    "VisitPublisher",
    "new_event_id",
    "pseudonym",
]
