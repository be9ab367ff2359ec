"""The fixtures give real servers and separate installations."""

import pytest

from streams import edges
from streams.live import LiveReader
from streams.topics import admin_client, describe_topic

pytestmark = pytest.mark.servers


def test_the_topics_exist_as_designed_and_redis_keeps_its_log(installation):
    settings = installation.settings
    with admin_client(edges.kafka_address(settings)) as client:
        facts = describe_topic(client, settings.topic)
    assert facts is not None
    assert facts.partitions == 8
    assert facts.configs["message.timestamp.type"] == "LogAppendTime"
    reader = LiveReader(edges.redis_address(settings), settings.redis_prefix)
    try:
        assert reader.persistence() == "yes"
        assert reader.snapshot().totals == {}
    finally:
        reader.close()
