"""Alerts in Redis: running ones and those of the last weeks, written by any number of observers, each alert once.

An observer says, minute by minute, which alerts it holds open and which ended. The first one to say so is taken: a second observer that
judged the same minute changes nothing. One scope runs at most one alert of a kind, whoever saw it begin first.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streams.clock import MS_MAX
from streams.incidents import LEVELS, AlertBook, AlertRecord
from streams.live import checked, scripts
from streams.live.connection import RedisAddress, asking_redis, connect
from streams.live.keys import Keys

#: Alerts kept, running ones included: a year of a nervous installation. About 1 kB each.
ALERTS_MAX = 2000
#: A running alert that no observer upheld for so many judged minutes ends with the last one in which it was.
ORPHAN_MINUTES = 5


class AlertStore:
    """The blocking side. Every method raises `ServerError` when Redis does not answer, and may be called again."""

    def __init__(self, address: RedisAddress, prefix: str) -> None:
        self._address = address
        self._base = Keys(prefix).base
        self._redis = connect(address)
        self._judge = self._redis.register_script(scripts.JUDGE)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def judged(self, minute: int, running: Sequence[AlertRecord], ended: Sequence[AlertRecord]) -> None:
        """Say what holds after the settled epoch minute `minute` (of the clock): alerts that run, and those that ended since last time.

        Idempotent: a minute that was told before changes nothing that was told with it.
        """
        words = [
            word
            for alert in (*ended, *running)
            for word in (alert.place, alert.id, str(alert.start_ms), str(alert.until_ms), _text(alert))
        ]
        numbers = [minute, ORPHAN_MINUTES, ALERTS_MAX, len(ended)]
        with asking_redis(self._address):
            self._judge(args=[self._base, *numbers, *words])

    def book(self) -> AlertBook:
        """Read all alerts kept.

        Raises:
            StateError: they were not written by this version.
        """
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hget(self._base + "meta", "judged_minute")
        pipeline.hgetall(self._base + "alerts")
        with asking_redis(self._address):
            judged, texts = pipeline.execute()
        alerts = [self._alert(name, text) for name, text in texts.items()]
        in_order = tuple(sorted(alerts, key=lambda alert: (-alert.start_ms, alert.id)))
        minute = None if judged is None else checked.minute(judged, self._base + "meta judged_minute")
        return AlertBook(minute, in_order)

    def _alert(self, name: str, text: str) -> AlertRecord:
        key = self._base + "alerts"
        alert = checked.json_object(text, key, name, AlertRecord)
        times_ms = (alert.start_ms, alert.raised_ms, alert.until_ms, alert.end_ms or 0)
        if alert.scope not in LEVELS or not 0 <= min(times_ms) <= max(times_ms) <= MS_MAX:
            raise checked.foreign(f"{key} {name}", text, "a scope or a time that no alert has")
        return alert


def _text(alert: AlertRecord) -> str:
    return msgspec.json.encode(alert).decode()
