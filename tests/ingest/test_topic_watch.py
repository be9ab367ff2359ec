"""The watch over the topic: what nobody foresaw is shown, and ends the worker once nobody knows any more which topic it is."""

import threading
from dataclasses import replace

import pytest

from streams.errors import DefectError, KafkaUnavailable, VigieError
from streams.ingest import topic_watch
from streams.ingest.faust_app import WorkerState
from streams.ingest.topic_watch import RULES, TopicWatch
from streams.ingest.worker_metrics import WorkerMetrics
from streams.topics import TopicFacts


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch):
    """A watch whose every question to Kafka raises: no real Kafka does on command."""
    monkeypatch.setattr(topic_watch, "RULES", replace(RULES, period_seconds=0.01, retry_seconds=0.01))
    told: list[VigieError] = []
    ended = threading.Event()

    def on_problem(problem: VigieError) -> None:
        told.append(problem)
        ended.set()

    def make(error: Exception) -> TopicWatch:
        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(topic_watch, "open_admin_client", fail)
        return TopicWatch(None, TopicFacts("ent.visits", "id", 1, {}), on_problem)  # type: ignore[arg-type]

    return make, told, ended


def test_a_defect_ends_the_worker_with_an_exit_code_of_its_own(watch, caplog: pytest.LogCaptureFixture) -> None:
    make, told, ended = watch
    watching = make(IndexError("an answer that kafka-python did not foresee"))
    watching.start()
    assert ended.wait(5)
    (problem,) = told
    assert isinstance(problem, DefectError)
    assert problem.exit_code == 5
    assert "nobody knows any more whether ent.visits is still the same topic" in str(problem)
    assert watching.loop.state.defects == RULES.defects_max
    assert caplog.text.count("Traceback") == 1


def test_a_kafka_that_is_down_ends_nobody(watch, caplog: pytest.LogCaptureFixture) -> None:
    make, told, ended = watch
    watching = make(KafkaUnavailable("Kafka does not answer"))
    watching.start()
    assert not ended.wait(0.3)
    watching.stop()
    assert watching.loop.stop(5)
    assert (told, watching.loop.defect()) == ([], None)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_worker_with_a_defect_is_not_ready_and_says_so_in_its_metrics(watch) -> None:
    make, _told, ended = watch
    watching = make(IndexError("unforeseen"))
    state, metrics = WorkerState("w:8001", 8001, unready=None), WorkerMetrics()
    state.defect = watching.loop.defect
    metrics.watch([watching.loop])
    value = metrics.registry.get_sample_value
    assert state.not_ready_because() is None
    assert (value("ent_problem", {"part": "topic-watch"}), value("ent_defects_total", {"part": "topic-watch"})) == (
        0,
        0,
    )
    watching.start()
    assert ended.wait(5)
    assert "unforeseen" in (state.not_ready_because() or "")
    assert value("ent_problem", {"part": "topic-watch"}) == 1
    assert value("ent_defects_total", {"part": "topic-watch"}) == RULES.defects_max
