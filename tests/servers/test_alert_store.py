"""Alerts in a real Redis: told once, whoever tells them."""

from typing import Any

import msgspec
import pytest
import redis

from streams.live import AlertRecord, AlertStore
from streams.live.alert_store import ALERTS_MAX, ORPHAN_MINUTES
from streams.live.connection import RedisAddress

pytestmark = pytest.mark.servers
MINUTE = 29_000_000


def alert(start: int = MINUTE, until: int = MINUTE + 3, *, over: bool = False, **changes: Any) -> AlertRecord:
    base = AlertRecord(
        id=f"surge:region=44:{start * 60_000}",
        kind="surge",
        scope="region",
        region="44",
        service=None,
        project=None,
        measure="visits",
        start_ms=start * 60_000,
        raised_ms=(start + 2) * 60_000,
        until_ms=until * 60_000,
        end_ms=until * 60_000 if over else None,
        observed=300.0,
        expected=100.0,
        lower=80.0,
        upper=130.0,
    )
    return msgspec.structs.replace(base, **changes)


@pytest.fixture
def stores(installation: Any) -> tuple[AlertStore, AlertStore]:
    address = RedisAddress(installation.settings.redis_url)
    return tuple(AlertStore(address, installation.settings.redis_prefix) for _ in range(2))  # type: ignore[return-value]


def test_two_observers_tell_one_alert_and_the_first_is_taken(stores: tuple[AlertStore, AlertStore]) -> None:
    one, other = stores
    one.judged(MINUTE + 3, [alert()], [])
    other.judged(MINUTE + 3, [alert(observed=999.0)], [])
    assert [told.observed for told in one.book().running] == [300.0]
    other.judged(MINUTE + 4, [alert(until=MINUTE + 4, observed=400.0)], [])
    one.judged(MINUTE + 4, [alert(until=MINUTE + 4, observed=401.0)], [])
    assert [told.observed for told in one.book().running] == [400.0]
    assert one.book().judged_minute == MINUTE + 4


def test_an_observer_that_saw_it_begin_at_another_minute_keeps_the_known_id(
    stores: tuple[AlertStore, AlertStore],
) -> None:
    one, other = stores
    one.judged(MINUTE + 3, [alert()], [])
    other.judged(MINUTE + 4, [alert(start=MINUTE + 1, until=MINUTE + 4)], [])
    assert [told.id for told in one.book().alerts] == [alert().id]
    other.judged(MINUTE + 9, [], [alert(start=MINUTE + 1, until=MINUTE + 8, over=True)])
    one.judged(MINUTE + 9, [], [alert(until=MINUTE + 8, over=True)])
    assert [(told.id, told.end_ms) for told in one.book().alerts] == [(alert().id, (MINUTE + 8) * 60_000)]
    assert not one.book().running


def test_an_observer_behind_raises_nothing_from_the_dead(stores: tuple[AlertStore, AlertStore]) -> None:
    one, other = stores
    one.judged(MINUTE + 3, [alert()], [])
    one.judged(MINUTE + 9, [], [alert(until=MINUTE + 8, over=True)])
    other.judged(MINUTE + 8, [alert(until=MINUTE + 8)], [])
    assert not one.book().running
    assert one.book().judged_minute == MINUTE + 9


def test_an_alert_that_ended_earlier_does_not_end_the_one_that_runs(stores: tuple[AlertStore, AlertStore]) -> None:
    one, other = stores
    later = alert(start=MINUTE + 60, until=MINUTE + 63)
    one.judged(MINUTE + 63, [later], [])
    other.judged(MINUTE + 63, [later], [alert(until=MINUTE + 8, over=True)])
    assert [told.id for told in one.book().alerts] == [later.id, alert().id]
    assert [told.id for told in one.book().running] == [later.id]


def test_what_nobody_upholds_ends_where_it_was_last_upheld(stores: tuple[AlertStore, AlertStore]) -> None:
    one, _other = stores
    one.judged(MINUTE + 3, [alert()], [])
    one.judged(MINUTE + 3 + ORPHAN_MINUTES, [], [])
    assert one.book().running
    one.judged(MINUTE + 4 + ORPHAN_MINUTES, [], [])
    assert [told.end_ms for told in one.book().alerts] == [(MINUTE + 4) * 60_000]


def test_the_oldest_go_beyond_the_bound(stores: tuple[AlertStore, AlertStore]) -> None:
    one, _other = stores
    many = [alert(start=MINUTE + n, until=MINUTE + n, over=True) for n in range(ALERTS_MAX + 5)]
    for begin in range(0, len(many), 500):
        one.judged(MINUTE + len(many), [], many[begin : begin + 500])
    kept = one.book().alerts
    assert len(kept) == ALERTS_MAX
    assert kept[-1].start_ms == (MINUTE + 5) * 60_000


def test_an_upgrade_takes_over_what_has_ended_once(stores: tuple[AlertStore, AlertStore], installation: Any) -> None:
    old, _other = stores
    new = AlertStore(RedisAddress(installation.settings.redis_url), installation.settings.redis_prefix + ".2")
    long_ago, lately = (alert(MINUTE + n, MINUTE + n + 3, over=True) for n in (0, 60))
    old.judged(MINUTE + 70, [alert(MINUTE + 68, MINUTE + 70, region="75")], [long_ago, lately])
    with redis.Redis.from_url(installation.settings.redis_url) as client:
        client.hset("{" + installation.settings.redis_prefix + "}:alerts", "of another version", '{"id":"other"}')
    assert new.take_over(old) == (2, 1)
    assert new.take_over(old) == (0, 1)
    assert [told.id for told in new.book().alerts] == [lately.id, long_ago.id]
    assert new.book().judged_minute is None, "nobody has judged anything here"
    # What an observer of the new prefix saw by itself, from another minute on, is the same alert, whether it runs or not.
    new.judged(MINUTE + 72, [alert(MINUTE + 69, MINUTE + 72, region="75")], [])
    old.judged(MINUTE + 74, [], [alert(MINUTE + 68, MINUTE + 73, region="75", over=True)])
    assert new.take_over(old) == (0, 1)
    assert [told.start_ms for told in new.book().running] == [(MINUTE + 69) * 60_000]
    new.close()
