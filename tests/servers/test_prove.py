"""The short form of `make prove`: a few kills, a pause, a rebalance, an outage of Redis and one of Kafka; then no difference."""

from pathlib import Path

import pytest

from tests.prove.run import Plan, prove, table

pytestmark = [pytest.mark.servers, pytest.mark.long]


def test_five_kills_and_two_outages_leave_no_difference(tmp_path: Path) -> None:
    plan = Plan(
        seed=5, seconds=15, kills=5, pauses=1, rebalances=1, redis_kills=1, kafka_kills=1, events_per_second=300
    )
    report = prove(plan, tmp_path, print)
    print(table(report))
    assert report.differences == [], "\n".join(report.differences)
    assert report.done == {"kill": 5, "pause": 1, "rebalance": 1, "redis": 1, "kafka": 1}
    assert min(report.events, report.visits, report.duplicates, report.rejected) > 0
