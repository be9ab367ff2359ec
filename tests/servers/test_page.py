"""The live page in a real browser, on a real observer and Redis."""

import re
import time

import msgspec
import pytest
from playwright.sync_api import expect

from streams.live import AlertStore
from streams.live.connection import RedisAddress
from streams.local import Process, free_ports, redis
from streams.settings import deploy_dir
from tests.servers.browser import WALL, opened, violations
from tests.servers.observers import now_minute, observing
from tests.servers.page_scene import (
    FAKE_STREAM,
    VISITS,
    WATCH_BIG,
    Scene,
    shown,
    surge,
)

pytestmark = pytest.mark.servers


@pytest.mark.alone
def test_the_page_paints_within_a_second_and_needs_no_other_server(browser, address):
    with opened(browser, address) as page:
        expect(page.locator("h1")).to_have_text("France entière")
        assert shown(page) > VISITS / 2
        # The best of three: the browser's own start on a busy machine is no matter of the page's.
        painted = []
        for _opening in range(3):
            painted.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            page.reload()
            shown(page)
        assert min(painted) < 1000
        expect(page.locator("#map path")).to_have_count(18)
        expect(page.locator("#matrix tbody tr")).to_have_count(20)
        expect(page.locator("#fresh")).to_have_text(re.compile(r"^arrivé jusqu'à \d\d:\d\d:\d\d, provisoire ensuite$"))


def test_the_whole_page_and_its_address_follow_the_scope(browser, address):
    with opened(browser, address, WALL) as page:
        france = shown(page)
        page.locator("#matrix").get_by_role("link", name="Grand Est").click()
        expect(page.locator("h1")).to_have_text("Grand Est")
        assert page.url.endswith("/?region=44")
        assert 0 < shown(page) < france / 3
        expect(page.locator("#ents tbody")).to_contain_text("Mon Bureau Numérique")
        expect(page.locator("#ents tbody")).not_to_contain_text("Atrium")
        page.locator("#matrix").get_by_role("link", name="Cahier de textes").click()
        expect(page.locator("h1")).to_have_text("Grand Est · Cahier de textes")
        page.locator("#place").select_option("project:mbn")
        expect(page.locator("h1")).to_have_text("ENT : Mon Bureau Numérique")
        assert page.url.endswith("/?ent=mbn")
        expect(page.locator("#service")).to_be_disabled()
        page.locator("#place").select_option("academy:12")
        expect(page.locator("h1")).to_have_text("Académie : Nancy-Metz")
        page.go_back()
        page.go_back()
        expect(page.locator("h1")).to_have_text("Grand Est · Cahier de textes")
        page.locator("#reset").click()
        expect(page.locator("h1")).to_have_text("France entière")


def test_a_service_filters_all_that_is_measured_by_service_and_the_rest_is_said_once(browser, address):
    with opened(browser, f"{address}?region=44&service=PAGE_ENT") as page:
        shown(page)
        expect(page.locator("#t-curve")).to_have_text("Utilisations par minute")
        expect(page.locator("#k-line")).to_have_text("utilisations, minute arrêtée")
        expect(page.locator("#matrix .measure")).to_have_text("Utilisations")
        expect(page.locator("#map-note")).to_contain_text("Utilisations")
        row = page.locator("#matrix tbody tr", has_text="Grand Est").locator("td").all_text_contents()
        column = page.locator("#matrix thead th").all_text_contents().index("Accueil / page ENT")
        assert row[0] == row[column - 1] != "0"
        titles = page.locator("#figures dt").all_text_contents()
        assert titles == ["Événements par minute", "Utilisations, 15 min", "Part des événements, 15 min"]
        expect(page.locator(".ents")).to_be_hidden()
        said = page.locator("body").inner_text()
        assert len(re.findall("mesuré", said)) == 1
        expect(page.locator("#unmeasured")).to_contain_text("ne sont pas mesurés par service")
        page.locator("#service").select_option("")
        expect(page.locator(".ents")).to_be_visible()
        expect(page.locator("#unmeasured")).to_be_hidden()


@pytest.mark.alone
def test_a_settled_minute_shows_within_two_seconds(browser, address, scene):
    """From the moment Redis has it until the page has it, by the page's own clock. A machine that is busy with other suites may hold one
    minute up: one of three must be shown in time, and each within the patience of every other test.
    """
    took = []
    with opened(browser, address) as page:
        for level in (2.0, 1.0, 2.0):
            before = shown(page)
            page.evaluate(WATCH_BIG)
            scene.more(lambda _minute, level=level: level)
            settled_ms = time.time() * 1000
            expect(page.locator("#big")).not_to_have_text(f"{before:,}".replace(",", "\u202f"))
            took.append(page.evaluate("window.bigChangedMs") - settled_ms)
            assert (shown(page) > before * 1.5) == (level > 1)
            if took[-1] < 2_000:
                return
    pytest.fail(f"a settled minute showed after {', '.join(f'{ms:.0f} ms' for ms in took)}")


def test_an_alert_appears_and_ends(browser, address, scene):
    store = AlertStore(RedisAddress(scene.place.redis_url), scene.place.prefix)
    with opened(browser, f"{address}?region=44") as page:
        shown(page)
        while scene.last < now_minute() - 3:  # before that the chain is taken to stand still
            scene.more()
        minute = scene.last
        rising = surge(minute)
        store.judged(minute, [], [])
        expect(page.locator("#alerts")).to_contain_text("Aucune alerte en cours")
        store.judged(minute + 1, [rising], [])
        scene.more()
        running = page.locator("#alerts .running .alert")
        expect(running.locator("h3")).to_have_text("Hausse – Grand Est")
        expect(running).to_contain_text("× 2,1")
        expect(running).to_contain_text("Cahier de textes (× 3,0)")
        expect(page.locator("#k-alert")).to_be_visible()
        expect(running.get_by_role("link", name="que faire ?")).to_have_attribute("href", "runbooks/EntSurge")
        assert violations(page) == []
        store.judged(minute + 2, [], [msgspec.structs.replace(rising, end_ms=(minute + 1) * 60_000)])
        scene.more()
        expect(page.locator("#alerts")).to_contain_text("Aucune alerte en cours")
        expect(page.locator("#alerts")).to_contain_text("1 incident fini")
        page.locator("#place").select_option("region:53")
        expect(page.locator("h1")).to_have_text("Bretagne")
        expect(page.locator("#alerts .alert")).to_have_count(0)
    store.close()


def test_every_runbook_is_a_page_and_so_is_the_accessibility_statement(browser, address):
    with opened(browser, address) as page:
        page.goto(f"{address}runbooks/")
        listed = page.locator("main a").all_text_contents()
        assert [text.rpartition("(")[2].rstrip(")") for text in listed] == sorted(
            path.stem for path in (deploy_dir() / "runbooks").glob("*.md")
        )
        page.get_by_role("link", name="Hausse des visites (EntSurge)").click()
        expect(page.locator("h1")).to_have_text("Hausse des visites (EntSurge)")
        expect(page.locator("main code").first).to_contain_text("vigie alerts")
        assert violations(page) == []
        for name in ("..%2f..%2fREADME", "EntNothing"):
            assert page.request.get(f"{address}runbooks/{name}").status == 404
        page.goto(address)
        page.get_by_role("link", name="Accessibilité : non conforme").click()
        expect(page.locator("h1")).to_have_text("Déclaration d'accessibilité")
        assert violations(page) == []
        page.get_by_role("link", name="Page directe").click()
        page.wait_for_url(address)


def test_redis_down_and_a_chain_that_stands_still_are_said_and_no_zero_is_shown(browser, tmp_path):
    (port,) = free_ports(1)
    server = Process(redis(tmp_path, port))
    server.wait_ready()
    scene = Scene(f"redis://127.0.0.1:{port}/0", tmp_path, hours=1)
    try:
        with observing(scene.place) as observer, opened(browser, f"http://127.0.0.1:{observer.port}/") as page:
            before = shown(page)
            # Settled minutes ago, and nothing since.
            expect(page.locator("#trust-answer")).not_to_have_text("Oui")
            server.stop()
            expect(page.locator("#trouble")).to_contain_text("Redis ne répond pas")
            expect(page.locator("#trust-answer")).to_have_text("Non")
            expect(page.locator("#alerts")).not_to_contain_text("en cours")
            assert shown(page) == before
    finally:
        server.stop()


def test_a_chain_that_keeps_up_is_believed(browser, address, scene):
    scene.catch_up()
    with opened(browser, address) as page:
        expect(page.locator("#trust-answer")).to_have_text("Oui")
        expect(page.locator("#trouble")).to_be_hidden()


@pytest.mark.long
def test_a_day_open_does_not_grow(browser, address):
    with opened(browser, address, script=FAKE_STREAM) as page:
        page.evaluate("startFake()")
        page.evaluate("day(100)")
        before = measured(page)
        page.evaluate("day(1440)")
        after = measured(page)
        expect(page.locator("#big")).to_have_text(re.compile(r"\d"))
        assert after["nodes"] <= before["nodes"] + 50
        assert after["heap"] < before["heap"] * 1.15 + 1_000_000


def measured(page):
    return page.evaluate(
        "gc(), gc(), {nodes: document.querySelectorAll('*').length, heap: performance.memory.usedJSHeapSize}"
    )
