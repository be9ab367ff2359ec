"""What a load test sends: as archived by minute, region, service and project, as many visits, as many users for them; times visitors."""

from collections import Counter
from datetime import date

import numpy as np
import orjson
import pytest

from streams.catalog import load_catalog
from streams.errors import InputError
from streams.history.day_columns import CutName
from streams.history.marks import DayFile, HourMark, HourSource
from streams.load_test.drawn import DayDrawer, busiest, draw
from streams.load_test.load_events import EventWriter, LoadReplay, expand, replay_of
from streams.settings import default_config_dir
from streams.simulate.past_days import PastMaker, load_inputs

CATALOG = load_catalog(default_config_dir())
DAY = date(2026, 9, 1)


@pytest.fixture(scope="module")
def day() -> DayFile:
    """A simulated rentrée, whole."""
    made = PastMaker(load_inputs(default_config_dir(), 1, 0.004)).day(DAY)
    return DayFile(made.date, 0, made.hours, made.rows, made.sketches)


def _sent(replay: LoadReplay, times: float, senders: int = 1) -> list[dict[str, object]]:
    """Events in the order of their times, as a chain would get them; the minutes begin at epoch 0."""
    found = []
    for number in range(senders):
        writer = EventWriter(replay, "t", number)
        for minute in replay.minutes:
            found += [
                orjson.loads(value) | {"due": due}
                for due, _key, value in writer.events(*expand(minute, number, senders, times), 0)
            ]
    return sorted(found, key=lambda event: event["due"])


def _visits(events: list[dict[str, object]]) -> int:
    """By the ministry's rule, plainly."""
    last: dict[object, int] = {}
    visits = 0
    for event in events:
        who, ts = (event.get("project"), event["visitor"]), int(str(event["ts"]))
        visits += ts - last.get(who, -(10**12)) >= 30 * 60_000
        last[who] = max(ts, last.get(who, ts))
    return visits


@pytest.mark.parametrize(("times", "senders"), [(1, 1), (3, 2)])
def test_every_minute_region_service_and_project_is_as_archived(day: DayFile, times: int, senders: int) -> None:
    window = busiest(day, 90)
    replay = draw(day, CATALOG, window)
    events = _sent(replay, times, senders)
    assert len({event["id"] for event in events}) == len(events)
    regions = {code: place for code in {e.get("uai") for e in events} for place in [CATALOG.uai_index[code][0]]}  # type: ignore[index]
    sent = {
        CutName.REGION_SERVICE: Counter(
            ((regions[e.get("uai")], e.get("service", "INCONNU")), int(str(e["ts"])) // 60_000) for e in events
        ),
        CutName.PROJECT: Counter(((e.get("project", "INCONNU"),), int(str(e["ts"])) // 60_000) for e in events),
    }
    for cut, counted in sent.items():
        rows = day.rows[cut]
        kept = (rows.minute >= window[0]) & (rows.minute < window[1]) & (rows.events > 0)
        archived = {
            (rows.keys[series], minute - window[0]): number * times
            for series, minute, number in zip(
                rows.series[kept].tolist(), rows.minute[kept].tolist(), rows.events[kept].tolist(), strict=True
            )
        }
        assert counted == archived, cut
    rows = day.rows[CutName.REGION]
    archived_visits = int(rows.visits[(rows.minute >= window[0]) & (rows.minute < window[1])].sum())
    assert replay.visits is not None
    # A little more where nobody was there whose visit could go on: this day is a small one.
    assert 0 <= replay.visits - archived_visits <= 0.005 * archived_visits
    assert _visits(events) == replay.visits * times


def test_users_come_back_as_often_as_on_the_day(day: DayFile) -> None:
    drawer = DayDrawer(day, CATALOG, 1)
    for minute in range(*day.minutes):
        drawer.minute(minute, 0)
    from streams.history import hll

    users = sum(hll.count(sketch) for key, sketch in day.sketches.users.items() if key[0] == "region")
    visits = int(day.rows[CutName.REGION].visits.sum())
    assert drawer.distinct / drawer.visits == pytest.approx(users / visits, rel=0.02)


def test_a_part_of_the_visitors_once_more(day: DayFile) -> None:
    replay = draw(day, CATALOG, busiest(day, 10))
    sent = _sent(replay, 1.5, 3)
    assert len(sent) == pytest.approx(1.5 * replay.events, rel=0.05)
    once, more = (len({event["visitor"] for event in _sent(replay, times)}) for times in (1.0, 1.5))
    assert more == pytest.approx(1.5 * once, rel=0.05)
    assert len(_sent(replay, 0.25)) == pytest.approx(0.25 * replay.events, rel=0.15)


def test_a_day_without_what_is_needed_is_refused(day: DayFile) -> None:
    marks = tuple(HourMark(m.hour, HourSource.IMPORT, m.measured, cuts=(CutName.REGION,)) for m in day.hours)
    with pytest.raises(InputError, match="imported without its counts by region_service, project"):
        draw(DayFile(day.date, 0, marks, day.rows, day.sketches), CATALOG, day.minutes)
    nothing = {cut: rows.where(np.zeros(len(rows.series), bool)) for cut, rows in day.rows.items()}
    with pytest.raises(InputError, match="nothing was counted"):
        draw(DayFile(day.date, 0, day.hours, nothing, day.sketches), CATALOG, day.minutes)


def test_events_of_the_log_are_sent_again_without_repeats_and_broken_ones() -> None:
    def event(number: int, ts: int, visitor: str, **members: str) -> bytes:
        return orjson.dumps({"v": 1, "id": f"e{number}", "ts": ts, "visitor": visitor, **members})

    values = [
        event(1, 61_500, "anna", project="mbn", uai="0541234Y", service="NOTES", device="MOBILE"),
        event(2, 59_999, "anna", project="mbn"),
        event(2, 59_999, "anna", project="mbn"),
        event(3, 180_000, "late"),
        event(4, 60_000, "bob"),
        b"{broken",
        None,
    ]
    replay = replay_of(values, 0, 180_000)
    assert replay.by_minute() == [1, 2, 0]
    assert replay.left_out == (
        "2 enregistrement(s) hors contrat, non renvoyé(s)",
        "1 répétition(s), non renvoyée(s)",
    )
    sent = _sent(replay, 2)
    assert [event["ts"] // 60_000 for event in sent] == [0, 0, 1, 1, 1, 1]  # type: ignore[operator]
    whole = [e for e in sent if e.get("device") == "MOBILE"]
    assert [(e["project"], e["uai"], e["service"]) for e in whole] == [("mbn", "0541234Y", "NOTES")] * 2
    assert len({e["visitor"] for e in sent}) == 4
    with pytest.raises(InputError, match="no event that counts"):
        replay_of(values[-2:], 0, 180_000)
