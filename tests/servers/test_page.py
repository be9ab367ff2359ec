"""The live page in a real browser, on a real observer and Redis."""

from __future__ import annotations

import re
import time
import uuid
from contextlib import ExitStack, contextmanager

import msgspec
import pytest
from browser import PHONE, WALL, WIDE, chromium, elsewhere, opened, violations
from observers import Filler, Place, now_minute, observing
from playwright.sync_api import expect
from scenes import fill, morning

from streams.catalog import load_catalog
from streams.live import AlertRecord, AlertStore, Driver
from streams.live.connection import RedisAddress
from streams.local import Process, free_ports, redis
from streams.settings import default_config_dir, deploy_dir

pytestmark = pytest.mark.servers

CATALOG = load_catalog(default_config_dir())
VISITS = 14_000
#: Playwright's default of 5 s is for a machine that does nothing else.
PATIENT_MS = 15_000
expect.set_options(timeout=PATIENT_MS)


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


class Scene:
    """Three hours of a morning in Redis, settled up to `last`; `more` counts the minutes after it."""

    def __init__(self, redis_url, directory, hours=3):
        self.place = Place(redis_url, f"page.{uuid.uuid4().hex[:12]}", directory)
        self.filler = Filler(self.place, CATALOG.digest, partitions=2)
        self.last = now_minute() - 9  # settled time never passes the clock: later minutes must lie before it
        self.level = morning(self.last - 60 * hours + 1, 60 * hours)
        elsewhere(
            fill, self.filler, CATALOG, self.last - 60 * hours + 1, self.last + 1, self.level, VISITS, people=3000
        )

    def more(self, level=None, mute=frozenset()):
        """One minute more, settled at once."""
        self.last += 1
        elsewhere(
            fill, self.filler, CATALOG, self.last, self.last + 1, level or self.level, VISITS, mute=lambda _minute: mute
        )

    def catch_up(self):
        """All minutes until now, settled up to a second ago."""
        first, self.last = self.last + 1, now_minute()
        at_ms = int(time.time() * 1000) - 1000
        elsewhere(fill, self.filler, CATALOG, first, self.last + 1, self.level, VISITS, watermark_ms=at_ms)


@pytest.fixture(scope="module")
def scene(redis_server, tmp_path_factory):
    return Scene(redis_server.url, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def observer(scene):
    with observing(scene.place) as found:
        yield found


@pytest.fixture(scope="module")
def address(observer):
    return f"http://127.0.0.1:{observer.port}/"


def surge(minute, **changes):
    """A surge of Grand Est that runs at a minute."""
    given = {
        "id": f"surge:region=44:{minute - 4}", "kind": "surge", "scope": "region", "region": "44", "service": None, "project": None,
        "measure": "visits", "start_ms": (minute - 4) * 60_000, "raised_ms": (minute - 1) * 60_000, "until_ms": minute * 60_000,
        "end_ms": None, "observed": 4200.0, "expected": 2000.0, "lower": 1700.0, "upper": 2300.0,
        "drivers": (Driver(region="44", service="CAHIER_TEXTES", project=None, observed=900.0, expected=300.0, ratio=3.0),),
    }  # fmt: skip
    return AlertRecord(**{**given, **changes})


def shown(page):
    """The big number."""
    expect(page.locator("#big")).to_have_text(re.compile(r"\d"))
    return int(re.sub(r"\D", "", page.locator("#big").text_content()))


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


@pytest.mark.parametrize(
    ("size", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light")], ids=["light", "dark", "phone"]
)
def test_axe_finds_nothing(browser, address, size, scheme):
    with opened(browser, address, size, scheme) as page:
        shown(page)
        for summary in page.locator("summary").all():
            summary.click()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], "the page scrolls sideways"


def test_what_is_asked_first_is_above_the_fold_while_alerts_run(browser, address, scene):
    """The headline with the verdict beside it, the whole curve with its axis, the alerts with their count, the map: nothing is scrolled."""
    store = AlertStore(RedisAddress(scene.place.redis_url), scene.place.prefix)
    minute = scene.last
    others = [
        region.code for region in CATALOG.regions if region.code not in ("44", "53")
    ]  # which another test looks at
    many = [surge(minute, id=f"surge:region={code}:{minute}", region=code) for code in others]
    store.judged(minute + 1, many, [])
    for size in (WIDE, WALL):
        with opened(browser, address, size) as page:
            shown(page)
            expect(page.locator("#alerts-count")).to_have_text(f"{len(many)} en cours")
            page.locator(".u-over").wait_for()
            for part in FIRST:
                box = page.locator(part).bounding_box()
                assert box["height"] > 0, part
                assert box["y"] >= 0, part
                assert box["y"] + box["height"] <= size[1], part
            big, verdict = (page.locator(part).bounding_box() for part in ("#big", "#trust summary"))
            assert abs(big["y"] + big["height"] / 2 - verdict["y"] - verdict["height"] / 2) < 30, "not beside it"
            assert page.locator("#alerts").evaluate("box => box.scrollHeight > box.clientHeight"), "it scrolls inside"
    store.judged(minute + 2, [], [msgspec.structs.replace(one, end_ms=(minute + 1) * 60_000) for one in many])
    store.close()


#: What must be seen without scrolling.
FIRST = (
    "h1",
    "#big",
    "#trust-answer",
    "#against",
    "#curve canvas",
    "#t-alerts",
    "#map > svg",
    "#map .overseas",
    "#map-scale",
)


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


def test_keys_alone_are_enough(browser, address):
    with opened(browser, f"{address}?region=11") as page:
        shown(page)
        page.keyboard.press("Tab")
        expect(page.locator(".skip").first).to_be_focused()
        page.locator("#curve").focus()
        page.keyboard.press("End")
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#readout")).to_have_text(re.compile(r"^\d\d:\d\d : [\d\s]+ visites"))
        page.locator("#matrix").get_by_role("link", name="Bretagne").focus()
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Bretagne")


def test_an_unknown_scope_is_said(browser, address):
    with opened(browser, f"{address}?region=nope") as page:
        expect(page.locator("#trouble")).to_have_text(re.compile("périmètre ou un service inconnu"))
        expect(page.locator("h1")).to_have_text("Périmètre ou service inconnu")
        # What it tells a person to do can be done: the lists are there, and a choice leads on.
        page.locator("#place").select_option("region:53")
        expect(page.locator("h1")).to_have_text("Bretagne")
        expect(page.locator("#trouble")).to_be_hidden()


@pytest.mark.parametrize("size", [WIDE, WALL], ids=["desktop", "wall"])
def test_no_figure_of_the_tables_is_cut(browser, address, size):
    with opened(browser, address, size) as page:
        shown(page)
        for table in ("matrix", "ents"):
            wide, seen = page.evaluate(f"[{table}.offsetWidth, {table}.parentElement.clientWidth]")
            assert wide <= seen, table
        columns = page.locator("#matrix thead th")
        assert 6 <= columns.count() <= 10
        page.get_by_role("button", name="Afficher tous les services").click()
        assert columns.count() == 3 + len(CATALOG.services) + 1


def test_a_service_is_used_not_visited(browser, address):
    with opened(browser, f"{address}?region=44&service=PAGE_ENT") as page:
        shown(page)
        expect(page.locator("#t-curve")).to_have_text("Utilisations par minute")
        expect(page.locator("#k-line")).to_have_text("utilisations, minute arrêtée")


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


#: When the big number changes, said by the page itself: asking for it costs a busy machine seconds.
WATCH_BIG = """
new MutationObserver((_changes, self) => { window.bigChangedMs = Date.now(); self.disconnect(); })
  .observe(document.getElementById("big"), { childList: true, characterData: true, subtree: true })
"""


def test_an_alert_appears_and_ends(browser, address, scene):
    store = AlertStore(RedisAddress(scene.place.redis_url), scene.place.prefix)
    minute = scene.last
    rising = surge(minute)
    with opened(browser, f"{address}?region=44") as page:
        shown(page)
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


def test_every_runbook_is_a_page(browser, address):
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


def test_it_comes_back_by_itself_when_the_observer_does(browser, scene):
    (port,) = free_ports(1)
    with opened_after(browser, scene, port) as page:
        expect(page.locator("#trouble")).to_have_text(re.compile("Connexion perdue depuis|ne répond pas"))
        scene.more()
        with observing(scene.place, port):
            expect(page.locator("body")).to_have_attribute("data-link", "on")
            expect(page.locator("#trouble")).not_to_have_text(re.compile("Connexion perdue|ne répond pas"))


@contextmanager
def opened_after(browser, scene, port):
    """The page, opened while an observer ran that has ended since."""
    with ExitStack() as stack:
        with observing(scene.place, port):
            page = stack.enter_context(opened(browser, f"http://127.0.0.1:{port}/"))
            shown(page)
        yield page


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
            assert shown(page) == before
    finally:
        server.stop()


def test_a_chain_that_keeps_up_is_believed(browser, address, scene):
    scene.catch_up()
    with opened(browser, address) as page:
        expect(page.locator("#trust-answer")).to_have_text("Oui")
        expect(page.locator("#trouble")).to_be_hidden()


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


#: The page's stream, replaced by one that hands on a day of minutes as fast as the page takes them: a `board` and a `pulse` a minute.
FAKE_STREAM = """
const Real = window.EventSource;
window.EventSource = class {
  constructor(url) { this.url = url; this.heard = {}; window.fake = this; }
  addEventListener(name, listener) { this.heard[name] = listener; }
  close() {}
};
window.startFake = () => new Promise((done) => {
  window.taken = {};
  const real = new Real(fake.url);
  for (const name of ["hello", "board", "pulse"]) real.addEventListener(name, (event) => {
    taken[name] = JSON.parse(event.data);
    fake.heard[name]?.(event);
    if (name === "pulse") { real.close(); done(); }
  });
});
window.day = async (minutes) => {
  for (let n = 0; n < minutes; n += 1) {
    const { board, pulse } = taken;
    board.first += 1;
    board.visits = [...board.visits.slice(1), Math.round(5000 + 3000 * Math.sin(n / 40))];
    board.events = board.visits.map((v) => v * 9);
    for (const row of board.regions) { row.visits += 7; for (const code in row.services) row.services[code] += n % 5; }
    pulse.settledMs += 60000;
    pulse.readMs += 60000;
    pulse.running = [[board.first + board.visits.length, 900, 100]];
    pulse.trust.checks[0].value = `il y a ${n} s`;
    fake.heard.board({ data: JSON.stringify(board) });
    fake.heard.pulse({ data: JSON.stringify(pulse) });
    if (n % 20 === 0) await new Promise((next) => setTimeout(next, 0));
  }
};
"""
