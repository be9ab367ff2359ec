"""What the live page must never say: a trough that is none, a normal ENT that has an alert, a figure of before as one of now."""

import re
import time
from itertools import product

import pytest
from playwright.sync_api import expect

from streams.count import Delta
from streams.live import AlertStore
from streams.live.connection import RedisAddress
from streams.local import free_ports
from tests.incidents.storms import alert
from tests.servers.browser import chromium, elsewhere, opened
from tests.servers.observers import observing
from tests.servers.page_scene import CATALOG, FAKE_STREAM, VISITS, Scene, shown, surge
from tests.servers.scenes import minute_counts

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def scene(redis_server, tmp_path):
    return Scene(redis_server.url, tmp_path, hours=1)


@pytest.fixture
def address(scene, monkeypatch):
    monkeypatch.setattr("streams.expose.page.feed.REST_AFTER_SECONDS", 1.0)
    with observing(scene.place) as found:
        yield f"http://127.0.0.1:{found.port}/"


def curve(page):
    """What the curve has by minute, the newest first; None where it has nothing."""
    page.locator(".minutes summary").click()
    texts = page.locator("#curve-table tbody tr td:nth-child(2)").all_text_contents()
    return [None if text == "–" else int(re.sub(r"\D", "", text)) for text in texts]


def whole(scene, minute):
    """All visits of one minute."""
    return sum(n for field, n in minute_counts(CATALOG, minute, scene.level(minute), VISITS).items() if field[0] == "v")


def part(scene, minute, share):
    """Some of a minute's counts, while it runs."""
    counts = minute_counts(CATALOG, minute, scene.level(minute) * share, VISITS)
    delta = Delta(None, 0, 0, minute * 60_000, 1, 100, {minute: counts}, {})
    elsewhere(scene.filler.apply, delta)


def test_the_first_minute_of_a_chain_is_not_drawn(browser, address, scene):
    with opened(browser, address) as page:
        shown(page)
        drawn = curve(page)
        assert (len(drawn), drawn[-1], drawn[0]) == (60, None, whole(scene, scene.last))
        assert drawn[-2] == whole(scene, scene.last - 58)


def test_a_minute_that_was_read_while_it_ran_is_no_trough_after_a_rest(browser, address, scene):
    """08:09 stood at 2,152 between 2,901 and 2,642, under « Oui »: a tenth of it had come when the last page was closed."""
    with opened(browser, address) as page:
        shown(page)
        part(scene, scene.last + 1, 0.1)
        expect(page.locator("#readout")).to_be_attached()
        time.sleep(1.5)  # the feed has read it
    time.sleep(2.5)  # and rests
    begun = scene.last
    part(scene, begun + 1, 0.9)
    scene.last = begun + 1
    for _minute in range(4):
        scene.more()
    with opened(browser, address) as page:
        expect(page.locator("#big-when")).to_have_text(re.compile("arrêtée"))
        expected = [whole(scene, minute) for minute in range(scene.last, begun - 1, -1)]
        drawn = curve(page)[: len(expected)]
        assert drawn[:4] + drawn[5:] == expected[:4] + expected[5:]
        assert drawn[4] == pytest.approx(expected[4], rel=0.01)  # each share was rounded by itself


def test_355_alerts_are_cut_after_they_were_folded_and_no_ent_of_them_is_normal(browser, address, scene):
    minute = scene.last
    run = {"until": minute, "raised": minute - 2, "start": minute - 10}
    silent = [alert("project", "silence", project=one.code, **run) for one in CATALOG.projects]
    places = product((one.code for one in CATALOG.regions), (one.code for one in CATALOG.services))
    services = [alert("service", region=r, service=s, **run) for r, s in places][: 355 - len(silent)]
    store = AlertStore(RedisAddress(scene.place.redis_url), scene.place.prefix)
    store.judged(minute + 1, [*silent, *services], [])
    with opened(browser, address) as page:
        expect(page.locator("#alerts-count")).to_have_text("355 en cours")
        expect(page.locator("#alerts")).to_contain_text("40 sur 355")
        expect(page.locator("#alerts .running .alert")).to_have_count(40)
        states = set(page.locator("#ents tbody td:nth-child(2)").all_text_contents())
        assert not states & {"normal", "calme"}, states
        # One that is not among the 40: its own page shows it, on the curve and in the list.
        last = services[-1]
        assert last.service is not None
        page.goto(f"{address}?region={last.region}&service={last.service}")
        expect(page.locator("#k-alert")).to_be_visible()
        expect(page.locator("#alerts")).to_contain_text(CATALOG.service_label(last.service))
    ended = [{**_members(one), "end_ms": (minute + 1) * 60_000} for one in (*silent, *services)]
    store.judged(minute + 2, [], [type(silent[0])(**one) for one in ended])
    store.close()


def _members(one):
    return {name: getattr(one, name) for name in one.__struct_fields__}


def test_a_ratio_since_the_start_says_so_beside_the_one_of_now(browser, address, scene):
    store = AlertStore(RedisAddress(scene.place.redis_url), scene.place.prefix)
    one = surge(scene.last, start_ms=(scene.last - 10) * 60_000, observed_now=820.0, expected_now=200.0)
    store.judged(scene.last + 3, [one], [])
    with opened(browser, f"{address}?region=44") as page:
        running = page.locator("#alerts .running .alert").filter(has_text="Hausse – Grand Est")
        expect(running).to_contain_text(re.compile(r"depuis \d\d:\d\d \(×\s2,1\), ×\s4,1 ces 5 dernières minutes"))
    store.judged(scene.last + 4, [], [type(one)(**{**_members(one), "end_ms": one.until_ms})])
    store.close()


@pytest.mark.parametrize(
    ("asked", "title", "named"),
    [("region=nope", "Région inconnue", "nope"), ("academie=99X", "Académie inconnue", "99X"), ("ent=aucun", "ENT inconnu", "aucun"),
     ("service=RIEN", "Service inconnu", "RIEN"), ("region=44&ent=mbn", "Adresse inconnue", "ne vont pas ensemble")],
)  # fmt: skip
def test_an_address_of_what_does_not_exist_is_a_sentence_and_no_black_map(browser, address, asked, title, named):
    with opened(browser, f"{address}?{asked}") as page:
        expect(page.locator("h1")).to_have_text(title)
        expect(page.locator("#trouble")).to_contain_text(named)
        expect(page.locator("#big")).to_have_text("Inconnu")
        expect(page.locator("#map path")).to_have_count(18)
        fills = page.evaluate("[...document.querySelectorAll('#map path')].map((path) => getComputedStyle(path).fill)")
        assert "rgb(0, 0, 0)" not in fills
        # What it tells a person to do can be done: the lists are there, and a choice leads on.
        page.locator("#place").select_option("region:53")
        expect(page.locator("h1")).to_have_text("Bretagne")
        expect(page.locator("#trouble")).to_be_hidden()
        shown(page)


def test_a_ratio_is_of_the_headlines_minute_or_blank_and_ticks_say_what_they_take(browser, address):
    with opened(browser, address, script=FAKE_STREAM) as page:
        page.evaluate("startFake()")
        hand_on = "(changes) => { Object.assign(taken.board, changes); fake.heard.board({ data: JSON.stringify(taken.board) }); }"
        row = {"first": 1, "minutes": 1, "visits": 10, "expected": 1000, "lower": 800, "upper": 1200, "learning": False}
        first = {"now": {"minute": 1, "events": 9, "visits": 2000}, "compared": row, "expectedNote": None}
        page.evaluate(hand_on, first)
        expect(page.locator("#against")).to_contain_text(
            "× 2,0 l'attendu (au-dessus de la fourchette, 800 à 1\u202f200)"
        )
        wide = {**row, "upper": 2500}
        page.evaluate(hand_on, {"compared": wide})
        expect(page.locator("#against")).to_contain_text("(dans la fourchette, 800 à 2\u202f500)")
        page.evaluate(hand_on, {"spans": [[1, None]]})  # an alert runs: it says more than the band does
        expect(page.locator("#against")).to_contain_text("(fourchette de 800 à 2\u202f500)")
        band: dict[str, list[float]] = {"expected": [], "lower": [], "upper": []}
        page.evaluate(hand_on, {"now": {"minute": 2, "events": 9, "visits": 3000}, "compared": None, "expected": band})
        expect(page.locator("#big")).to_have_text("3\u202f000")
        expect(page.locator("#against li").first).to_have_text("Attendu de cette minute : dans un instant")
        page.locator("#trust summary").click()
        expect(page.locator("#trust-checks")).to_contain_text("bon jusqu'à 5\u202f%")


def test_a_lost_connection_turns_what_is_of_now_unknown_at_once_and_back(browser, scene):
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}/"
    with observing(scene.place, port):
        context = opened(browser, address)
        page = context.__enter__()
        shown(page)
    expect(page.locator("#trouble")).to_contain_text("Connexion perdue depuis")
    for place in ("#big", "#trust-answer", "#fresh", "#alerts", "#against", "#map-note"):
        expect(page.locator(place)).to_have_text("Inconnu", timeout=1000)
    for cells in ("#figures dd", "#chain dd", "#matrix td", "#ents td"):
        assert set(page.locator(cells).all_text_contents()) == {"Inconnu"}, cells
    scene.more()
    with observing(scene.place, port):  # it comes back by itself
        expect(page.locator("body")).to_have_attribute("data-link", "on")
        expect(page.locator("#trouble")).not_to_have_text(re.compile("Connexion perdue|ne répond pas"))
        shown(page)
        for place in ("#trust-answer", "#fresh", "#alerts", "#against"):
            expect(page.locator(place)).not_to_have_text("Inconnu")
        assert "Inconnu" not in page.locator("#matrix td").all_text_contents()
        context.__exit__(None, None, None)
