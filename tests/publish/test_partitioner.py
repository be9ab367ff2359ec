"""A visitor's partition is that of Java's clients."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner import DefaultPartitioner
from kafka.partitioner import murmur2 as reference

from streams.publish.producer import VisitorPartitioner, murmur2

#: From the tests of Apache Kafka (org.apache.kafka.common.utils.UtilsTest.testMurmur2), as unsigned numbers.
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


def cluster(partitions: int) -> SimpleNamespace:
    numbers = set(range(partitions))
    return SimpleNamespace(
        topics=lambda: {"t"},
        partitions_for_topic=lambda topic: numbers,
        available_partitions_for_topic=lambda topic: numbers,
    )


@pytest.mark.parametrize(("data", "signed"), JAVA.items())
def test_murmur2_of_apache_kafka(data: bytes, signed: int) -> None:
    assert murmur2(data) == signed % 2**32


@given(st.binary(max_size=300))
def test_murmur2_of_kafka_python(data: bytes) -> None:
    assert murmur2(data) == reference(data)


@given(st.binary(max_size=80), st.integers(1, 100))
def test_keys_go_where_kafka_python_sends_them(key: bytes, partitions: int) -> None:
    chosen = VisitorPartitioner().partition("t", key, key, None, None, cluster(partitions))
    assert chosen == DefaultPartitioner().partition("t", key, key, None, None, cluster(partitions))


def test_no_key_is_spread() -> None:
    partitioner = VisitorPartitioner()
    chosen = [partitioner.partition("t", None, None, b"{}", b"{}", cluster(8)) for _ in range(800)]
    assert set(chosen) == set(range(8))
