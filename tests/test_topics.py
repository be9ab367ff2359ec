"""What brokers say of a topic. That one of three lags behind the others cannot be had on command: what it says is played."""

from typing import Any

import pytest

from streams import topics
from streams.topics import TopicDesign, describe_topic, topic_problems

DESIGN = TopicDesign("ent.visits", 8, 3, 2, 168)


class Client:
    """Knows the topic, and tells its settings only when it was asked `late` times before."""

    def __init__(self, late: int) -> None:
        self._late = late

    def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [{"error_code": 0, "topic_id": "id", "partitions": list(range(8))}]

    def describe_configs(self, resources: list[Any], **_: object) -> dict[str, Any]:
        self._late -= 1
        configs = {key: {"value": value} for key, value in DESIGN.configs().items()}
        return {"topic": {resources[0].name: configs if self._late < 0 else {}}}


def test_a_broker_that_does_not_know_a_new_topic_yet_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "LISTED_PAUSE_SECONDS", 0.001)
    facts = describe_topic(Client(late=3), DESIGN.name)
    assert facts is not None
    assert topic_problems(facts, DESIGN) == []


def test_a_user_who_may_not_know_the_settings_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "LISTED_PAUSE_SECONDS", 0.001)
    facts = describe_topic(Client(late=1000), DESIGN.name)
    assert facts is not None
    (problem,) = topic_problems(facts, DESIGN)
    assert "needs DescribeConfigs" in problem
