"""Uneven load: one visitor at ten times the others', one partition twenty times as hot. Nothing stops, memory is bounded, figures right."""

import pytest

from streams.catalog import Catalog
from streams.publish.producer import murmur2
from tests.servers.conftest import Installation
from tests.servers.supervised import Supervised
from tests.servers.traffic import Traffic
from tests.servers.truth import differences, log_ends, wait_drained
from tests.waiting import wait_for

pytestmark = pytest.mark.servers
COLD = 300
RSS_BYTES_MAX = 300_000_000


def test_a_hot_visitor_and_a_hot_partition(installation: Installation, catalog: Catalog) -> None:
    settings = installation.settings
    partitions = settings.topic_partitions
    traffic = Traffic(settings.kafka_bootstrap_servers, settings.topic, catalog, 4, repeats=0.02)

    def of(partition: int) -> None:
        """One visitor of the partition sends ten times what another sends."""
        here = [v for v in traffic.visitors if (murmur2(v.encode()) & 0x7FFFFFFF) % partitions == partition]
        number = COLD * (20 if partition == 0 else 1)
        traffic.send(number * 10 // (len(here) + 9), lambda visitor: visitor == here[0])
        traffic.send(number - number * 10 // (len(here) + 9), lambda visitor: visitor in here[1:])

    with Supervised(installation.environment, installation.directory, 2) as group:
        for partition in range(partitions):
            of(partition)
        sent = traffic.flush()
        wait_drained(settings)
        wait_for("ready", lambda: not group.unready())
        assert group.exits == []
        assert group.rss_bytes_max < RSS_BYTES_MAX
    ends = log_ends(settings)
    assert ends[0] > 15 * max(end for number, end in ends.items() if number)
    assert not (rows := differences(settings, catalog, sent)), "\n".join(rows)
