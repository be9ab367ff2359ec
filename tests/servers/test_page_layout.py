"""How the live page is laid out: on screens, telephones and paper, for keys and for readers; its curve."""

import re
import time
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from playwright.sync_api import expect

from streams.clock import PARIS, french_date, paris_date
from streams.history import load_calendar
from streams.history.archive import Archive
from streams.history.pairing import like_days_before
from streams.live import AlertStore
from streams.live.connection import RedisAddress
from streams.settings import default_config_dir
from tests.history.days_made import archived
from tests.servers.browser import PHONE, WALL, WIDE, box_of, opened, violations
from tests.servers.observers import observing
from tests.servers.page_scene import (
    CATALOG,
    WRITTEN,
    Scene,
    archive_of_a_week_before,
    keep_forecast,
    look_down,
    shown,
    surge,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def scene(redis_server, tmp_path_factory):
    directory = tmp_path_factory.mktemp("page")
    archive = archive_of_a_week_before(directory)
    keep_forecast(archive, time.time())
    return Scene(redis_server.url, directory, archive_dir=archive)


@pytest.mark.parametrize(
    ("size", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light")], ids=["light", "dark", "phone"]
)
def test_axe_finds_nothing(browser, address, size, scheme):
    with opened(browser, address, size, scheme) as page:
        look_down(page)
        page.locator("#forecast .u-over").wait_for()
        for summary in page.locator("summary").all():
            summary.click()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], "the page scrolls sideways"


def test_what_is_asked_first_is_above_the_fold_while_alerts_run(browser, address, scene):
    """The headline with the verdict beside it, the whole curve with its axis, the alerts with their count, the map: nothing is scrolled.

    On a day of school the observer tells alerts of its own beside those of this test, so their number is not compared.
    """
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
            expect(page.locator("#alerts-count")).to_have_text(MANY)
            page.locator(".u-over").wait_for()
            for part in FIRST:
                box = box_of(page, part)
                assert box["height"] > 0, part
                assert box["y"] >= 0, part
                assert box["y"] + box["height"] <= size[1], part
            big, verdict = (box_of(page, part) for part in ("#big", "#trust summary"))
            assert abs(big["y"] + big["height"] / 2 - verdict["y"] - verdict["height"] / 2) < 30, "not beside it"
            assert page.locator("#alerts").evaluate("box => box.scrollHeight > box.clientHeight"), "it scrolls inside"
    with opened(browser, address, PHONE) as page:
        shown(page)
        expect(page.locator("#alerts-count")).to_have_text(MANY)
        expect(page.locator("#ents tbody a").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollHeight") < 3 * PHONE[1], (
            "more than three screens of a telephone"
        )
    store.judged(minute + 2, [], [msgspec.structs.replace(one, end_ms=(minute + 1) * 60_000) for one in many])
    store.close()


#: How many alerts run: two digits or more.
MANY = re.compile(r"^\d{2,} en cours")
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


def test_no_table_is_forty_stops_of_the_tab_key(browser, address):
    with opened(browser, address) as page:
        shown(page)
        expect(page.locator("#ents tbody a").first).to_be_visible()
        page.locator(".u-over").wait_for()
        stops: list[str] = []
        while len(stops) < 40 and (not stops or stops[-1] != "BODY"):
            page.keyboard.press("Tab")
            stops.append(page.evaluate("document.activeElement.closest('[id]')?.id || document.activeElement.tagName"))
        assert len(stops) < 30, stops
        assert (stops.count("matrix"), stops.count("ents"), stops.count("lengths")) == (1, 1, 1)
        first, last = page.locator("#ents tbody a").first, page.locator("#ents tbody a").last
        first.focus()
        page.keyboard.press("ArrowDown")
        expect(page.locator("#ents tbody a").nth(1)).to_be_focused()
        page.keyboard.press("End")
        expect(last).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text(re.compile("^ENT : "))
        for name, target in (("à la courbe", "#curve"), ("aux incidents", "#t-alerts"), ("aux ENT", "#t-ents")):
            page.get_by_role("link", name=f"Aller {name}").focus()
            page.keyboard.press("Enter")
            expect(page.locator(target)).to_be_focused()
        expect(page.locator("h1")).to_have_text(re.compile("^ENT : "))  # a fragment is no other page


def test_a_telephone_needs_less_than_three_screens(browser, address):
    with opened(browser, f"{address}?region=84", PHONE) as page:
        shown(page)
        expect(page.locator("#ents tbody a").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollHeight") < 3 * PHONE[1]


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("?region=44", "Grand Est"),
        ("?academie=12", "Académie : Nancy-Metz"),
        ("?ent=mbn", "ENT : Mon Bureau Numérique"),
        ("?service=CAHIER_TEXTES", "France entière · Cahier de textes"),
    ],
)
def test_each_address_has_a_title_and_a_print_view(browser, address, asked, title):
    with opened(browser, address + asked, WIDE, "dark") as page:
        assert f"<title>{title} – Vigie</title>" in page.request.get(address + asked).text()
        shown(page)
        expect(page).to_have_title(re.compile(f"^{title} : .* par minute – Vigie$"))
        page.locator(".u-over").wait_for()
        page.emulate_media(media="print", color_scheme="dark")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        expect(page.locator("#printed")).to_have_text(
            re.compile(rf"^Vigie, le \w+ .* à \d\d:\d\d, heure de Paris · .*{re.escape(asked)}$")
        )
        for part in ("#place", "#lengths", "#print", ".foot"):
            expect(page.locator(part)).to_be_hidden()
        expect(page.locator("#trust-checks")).to_be_visible()
        assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()") == "#14212e"
        for part in ("#alerts", "#matrix"):  # whole, not scrolled
            assert (
                page.locator(part).evaluate(
                    "node => { const box = node.closest('.fill, .scroll'); return box.scrollHeight - box.clientHeight; }"
                )
                <= 1
            )
        assert box_of(page, "#curve canvas")["width"] <= 703  # 186 mm
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="screen", color_scheme="dark")
        expect(page.locator("#trust-checks")).to_be_hidden()
        assert box_of(page, "#curve canvas")["width"] > 703


def test_the_curve_is_held_against_a_week_before_and_has_four_lengths(browser, address):
    with opened(browser, f"{address}?region=44") as page:
        shown(page)
        expect(page.locator("#readout")).to_have_text(re.compile(r"7 jours avant 500$"))
        expect(page.locator("#k-week")).to_have_text(re.compile(r"7 jours avant, \w+ \d+"))
        expect(page.locator("#k-year")).to_be_hidden()
        page.locator("#curve").focus()
        page.keyboard.press("Home")
        first = page.locator("#curve").get_attribute("aria-valuetext")
        assert first is not None
        assert first.endswith("7 jours avant 500")
        assert first == page.locator("#readout").text_content()
        page.keyboard.press("PageDown")
        assert page.locator("#curve").get_attribute("aria-valuenow") == "10"
        page.locator(".u-over").hover(position={"x": 40, "y": 40})  # and the mouse reads out the same
        expect(page.locator("#readout")).not_to_have_text(first)
        expect(page.locator("#readout")).to_have_text(re.compile(r"^\d\d:\d\d : [\d\s]+ visites.* 7 jours avant 500$"))
        page.get_by_text("24 h", exact=True).click()
        assert page.url.endswith("/?region=44&duree=24h")
        expect(page.locator("#k-line")).to_have_text("visites, moyenne de 5 min")
        expect(page.locator("#readout")).to_have_text(
            re.compile(r"^\d\d:\d\d à \d\d:\d\d : [\d\s]+ visites par minute")
        )
        page.reload()
        expect(page.locator("[value='24h']")).to_be_checked()
        page.locator("#place").select_option("region:53")
        expect(page.locator("h1")).to_have_text("Bretagne")
        expect(page.locator("#k-week")).to_have_text("7 jours avant : indisponible")
        expect(page.locator("#readout")).to_have_text(re.compile("7 jours avant indisponible"))
        for summary in page.locator(".minutes summary").all():
            summary.click()
        expect(page.locator("#curve-table tbody tr")).to_have_count(288)
        page.locator("[value='24h']").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#k-line")).to_have_text("visites, moyenne de 30 min")
        assert page.url.endswith("/?duree=7j&region=53")


def test_on_a_rentree_the_last_one_is_a_line_that_keys_and_mouse_read_out(browser, redis_server, tmp_path):
    archive = Archive(tmp_path / "archive")
    archive.prepare(simulated=False)
    for day, visits in ((date(2025, 9, 1), 300), (date(2026, 8, 25), 200)):
        archived(archive, day, visits)
    noon = datetime(2026, 9, 1, 12, 0, tzinfo=PARIS).timestamp()
    shift = round((noon - time.time()) / 60) * 60
    scene = Scene(redis_server.url, tmp_path, hours=1, archive_dir=archive.directory, shift=shift)
    with observing(scene.place) as observer, opened(browser, f"http://127.0.0.1:{observer.port}/?region=44") as page:
        shown(page)
        expect(page.locator("#k-year")).to_contain_text("lundi 1er septembre 2025")
        both = re.compile(r"7 jours avant 200.* 300$")
        expect(page.locator("#readout")).to_have_text(both)
        page.locator("#curve").focus()
        page.keyboard.press("Home")
        expect(page.locator("#curve")).to_have_attribute("aria-valuetext", both)
        read = page.locator("#readout").text_content() or "nothing"
        page.locator(".u-over").hover(position={"x": 200, "y": 40})
        expect(page.locator("#readout")).not_to_have_text(read)
        expect(page.locator("#readout")).to_have_text(both)


def test_the_figure_is_held_against_the_last_day_like_today(browser, address, scene):
    today = paris_date(scene.last)
    calendar = load_calendar(default_config_dir(), CATALOG)
    zone = calendar.zones["44"]
    assert zone is not None
    like = next(like_days_before(calendar, today, (zone,)), None)
    with opened(browser, f"{address}?region=44") as page:
        shown(page)
        said = page.locator("#against li").nth(1)
        if like == today - timedelta(days=7):  # which the scene's archive has
            name = french_date(datetime.combine(like, datetime.min.time())).removesuffix(f" {like.year}")
            expect(said).to_have_text(re.compile(rf"^× [\d,]+ le {name}, dernier jour comparable, même heure \(500\)$"))
        else:  # after holidays, a public holiday, or near a rentrée
            expect(said).to_have_text(re.compile("Pas de chiffre archivé du|Aucun jour comparable dans les semaines"))


def test_a_curve_of_then_says_so_and_leads_back_to_now(browser, address, scene):
    then = datetime.fromtimestamp((scene.last - 30) * 60, UTC)
    with opened(browser, f"{address}?region=44&fin={then:%Y-%m-%dT%H:%MZ}") as page:
        now = shown(page)
        at = then.astimezone(PARIS)
        expect(page.locator("#past")).to_contain_text(f"Ce qui s'est passé jusqu'à {at:%H:%M}")
        minute = at - timedelta(minutes=1)
        expect(page.locator("#readout")).to_have_text(re.compile(f"^{minute:%H:%M} : .* 7 jours avant 500$"))
        expect(page.locator("#k-run")).to_be_hidden()
        page.get_by_role("link", name="Revenir au direct").click()
        expect(page.locator("#past")).to_be_hidden()
        assert page.url.endswith("?region=44")
        assert shown(page) == now  # figures were those of now all along
        page.goto(f"{address}?fin=hier")
        expect(page.locator("#trouble")).to_contain_text("Heure inconnue : « hier »")


def test_every_length_shows_four_times_on_a_telephone(browser, address):
    with opened(browser, address, PHONE, script=WRITTEN) as page:
        for name in ("1 h", "6 h", "24 h", "7 jours"):
            page.evaluate("written.clear()")
            page.get_by_text(name, exact=True).click()
            wait_until(lambda: len([text for text in page.evaluate("[...written]") if TIME.match(text)]) >= 4)


#: What the curve's axis shows: 07:30, or the name of a day.
TIME = re.compile(r"\d\d:\d\d$|[a-z]+\.")


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
