"""« Puis-je croire cette minute ? », the state of the chain, and French figures, from plain values."""

from dataclasses import replace

import msgspec

from streams.expose.alert_french import counted, times
from streams.expose.page.board import pulse
from streams.expose.page.picture import Flow, Picture
from streams.expose.page.verdict import duration, percent, trust
from streams.expose.scope import Scope
from streams.pages.french import number

FRANCE = Scope("france", "")


def state_of(picture, key):
    return next(check for check in trust(picture, FRANCE)["checks"] if check["key"] == key)["state"]


def test_a_sound_chain_is_believed(picture):
    sound = replace(picture, snapshot=replace(picture.snapshot, totals={}), flow=Flow(60.0, 6000, 12, 30, 3))
    sound = replace(sound, minutes={m: replace(f, late=0) for m, f in picture.minutes.items()})
    assert trust(sound, FRANCE)["answer"] == "Oui"


def test_what_is_wrong_is_said(picture):
    assert state_of(picture, "lost") == "attention"
    assert state_of(picture, "late") == "attention"  # 1 of 31
    assert state_of(replace(picture, flow=Flow(60, 100, 50, 0, 0)), "rejected") == "mauvais"
    assert state_of(replace(picture, flow=Flow(60, 100, 0, 90, 0)), "duplicates") == "attention"
    assert state_of(replace(picture, flow=Flow(60, 872, 0, 128, 0)), "duplicates") == "attention"  # 12,8 % is no tick
    assert state_of(replace(picture, read_ms=picture.settled_ms + 150_000), "settled") == "attention"
    assert state_of(replace(picture, read_ms=picture.settled_ms + 400_000), "settled") == "mauvais"
    old = replace(picture, read_ms=picture.settled_ms + 400_000)
    assert state_of(replace(old, flow=Flow(60, 6000, 12, 30, 3, settled_ms=600_000)), "settled") == "attention"
    assert state_of(replace(old, flow=Flow(60, 6000, 12, 30, 3, settled_ms=60_000)), "settled") == "mauvais"
    gone = replace(picture, snapshot=None)
    assert (trust(gone, FRANCE)["answer"], state_of(gone, "settled")) == ("Non", "mauvais")
    nobody = replace(picture, snapshot=replace(picture.snapshot, now_ms=picture.read_ms + 60_000))
    assert state_of(nobody, "readers") == "mauvais"
    assert trust(Picture(snapshot=replace(picture.snapshot, settled_ms=None)), FRANCE)["state"] != "ok"


def test_every_tick_says_what_it_takes(picture):
    checks = {check["key"]: check for check in trust(picture, FRANCE)["checks"]}
    assert all(check["limit"] for key, check in checks.items() if key != "reporting")
    assert checks["duplicates"]["limit"] == "bon jusqu'à 5\u202f%"
    assert checks["lost"]["value"].endswith("depuis le début")


def test_a_kafka_that_hangs_is_no_chain_to_believe(picture):
    """Workers live, settled time is young, nothing is refused: only what Kafka last said is old."""

    def hanging(confirmed_ms, numbers=(0, 1)):
        beats = picture.snapshot.heartbeats
        late = {n: msgspec.structs.replace(beats[n], confirmed_ms=confirmed_ms) for n in numbers}
        return replace(picture, snapshot=replace(picture.snapshot, heartbeats=beats | late))

    now_ms = picture.snapshot.now_ms
    assert state_of(hanging(now_ms - 4_000), "readers") == "ok"
    silent = hanging(now_ms - 45_000)
    found = next(check for check in trust(silent, FRANCE)["checks"] if check["key"] == "readers")
    assert (found["state"], found["value"]) == ("mauvais", "2 partitions sur 2 sans réponse")
    assert "Kafka ne répond plus depuis 45 s" in found["note"]
    assert trust(silent, FRANCE)["answer"] == "Non"
    assert pulse(silent, FRANCE, 20_000)["chain"]["kafka"] == "Kafka ne répond plus depuis 45 s"
    assert pulse(hanging(None), FRANCE, 20_000)["chain"]["kafka"] == "Kafka ne répond pas"
    assert pulse(picture, FRANCE, 20_000)["chain"]["kafka"] == ""
    assert state_of(hanging(now_ms - 45_000, (1,)), "readers") == "mauvais"


def test_what_is_not_counted_yet_is_not_called_unmeasured(picture):
    def reporting(scope, census):
        checks = trust(replace(picture, census=census), scope)["checks"]
        return next((check["value"] for check in checks if check["key"] == "reporting"), None)

    assert reporting(FRANCE, None) == "pas encore mesuré"
    assert reporting(Scope("academy", "12"), None) is None  # said once, for all figures that are not measured
    assert reporting(FRANCE, picture.census) == "environ 3 sur 15 min"


def test_a_chain_that_cannot_be_read_shows_no_figure(picture):
    chain = pulse(replace(picture, snapshot=None), FRANCE, 20_000)["chain"]
    assert (chain["redis"], chain["lagSeconds"], chain["partitions"]) == (False, None, [])


def test_french_figures():
    assert [times(ratio) for ratio in (2.14, 99.0, 5970.0)] == ["× 2,1", "× 99,0", "plus de × 100"]
    assert number(1_234_567) == "1\u202f234\u202f567"
    assert [percent(v) for v in (0.0, 0.0004, 0.123)] == ["0,0\u202f%", "0,04\u202f%", "12,3\u202f%"]
    assert [duration(s) for s in (5, 60, 65, 3 * 3600 + 60, 3 * 86_400)] == [
        "5 s",
        "1 min",
        "1 min 05",
        "3 h 01",
        "3 jours",
    ]


def test_what_is_below_two_is_one_in_french() -> None:
    assert [counted(value, "visite") for value in (0.0, 1.4, 2.0, 12345.0)] == [
        "0 visite", "1 visite", "2 visites", "12\u202f345 visites",
    ]  # fmt: skip
