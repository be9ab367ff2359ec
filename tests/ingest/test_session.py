"""How long Kafka waits for a worker that is silent: the setting reaches Faust, and Faust takes it."""

import pytest

from streams.broker import KafkaAddress
from streams.errors import SettingsError
from streams.ingest.faust_app import build_app
from streams.settings import load_settings


@pytest.mark.parametrize("seconds", [6, 12, 45, 1800])
def test_the_session_is_as_long_as_the_setting_says(seconds: int) -> None:
    settings = load_settings(worker_session_seconds=seconds)
    conf = build_app(KafkaAddress(("a:9092",)), "group", "me", settings.worker_session_seconds).conf
    assert conf.broker_session_timeout == seconds
    assert conf.broker_heartbeat_interval <= seconds / 3  # two may be lost
    assert conf.broker_request_timeout > seconds


def test_what_brokers_do_not_allow_is_refused() -> None:
    for seconds in (5, 1801):
        with pytest.raises(SettingsError, match="worker_session_seconds"):
            load_settings(worker_session_seconds=seconds)
