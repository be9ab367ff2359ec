"""The live page's forecast: asked for when it is looked at, of France alone, in the time that screens show; said where none is kept."""

import re
import time
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect

from streams.clock import PARIS
from tests.servers.browser import WIDE, opened
from tests.servers.observers import observing
from tests.servers.page_scene import Scene, keep_forecast, look_down, shown

pytestmark = pytest.mark.servers

#: A day that is not today's: what is forecast has the time that screens show.
SHIFT = -7 * 86_400


@pytest.fixture(scope="module")
def scene(redis_server, tmp_path_factory):
    archive = tmp_path_factory.mktemp("archive")
    keep_forecast(archive, time.time() + SHIFT)
    return Scene(redis_server.url, tmp_path_factory.mktemp("page"), hours=1, archive_dir=archive, shift=SHIFT)


def test_the_coming_day_is_drawn_once_it_is_looked_at(browser, address):
    with opened(browser, address, WIDE) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        shown(page)
        page.wait_for_timeout(1500)
        assert not [url for url in asked if "forecast" in url.rsplit("/", 1)[-1]], "asked for before it is looked at"
        look_down(page)
        page.locator("#forecast .u-over").wait_for()
        expect(page.locator("#forecast-readout")).to_have_text(
            re.compile(
                r"^Au plus fort, .+, \d\d:00 à \d\d:15 : 88\u202f000 visites prévues \(70\u202f400 à 105\u202f600\)$"
            )
        )
        page.locator(".forecast summary").click()
        rows = page.locator("#forecast-table tbody tr")
        expect(rows).to_have_count(97)  # the quarter that runs, and a day of them
        begins = datetime.fromtimestamp((time.time() + SHIFT) // 900 * 900, PARIS)
        assert any(
            f"{at:%d}, {at:%H:%M} à" in rows.first.inner_text() for at in (begins, begins - timedelta(minutes=15))
        )
        page.locator("#forecast").press("Home")
        expect(page.locator("#forecast-readout b")).to_have_text(rows.first.locator("td").first.inner_text())
        page.locator("#forecast").press("ArrowRight")
        expect(page.locator("#forecast-readout b")).to_have_text(rows.nth(1).locator("td").first.inner_text())


def test_it_is_of_france_alone(browser, address):
    with opened(browser, f"{address}?region=44") as page:
        shown(page)
        expect(page.locator(".forecast")).to_be_hidden()
        page.locator("#reset").click()
        expect(page.locator(".forecast")).to_be_visible()
        page.locator("#service").select_option("NOTES")
        expect(page.locator(".forecast")).to_be_hidden()


def test_where_none_is_kept_or_it_has_ended_that_is_said(browser, scene, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    keep_forecast(old, time.time() + SHIFT - 5 * 86_400)
    for directory, said in (
        (tmp_path, "Aucune prévision n'est gardée"),
        (old, "La prévision gardée s'arrête le"),
    ):
        place = replace(scene.place, archive_dir=directory)
        with observing(place) as observer, opened(browser, f"http://127.0.0.1:{observer.port}/") as page:
            look_down(page)
            expect(page.locator("#forecast-readout")).to_contain_text(said)
            expect(page.locator("#forecast-drawn")).to_be_hidden()
