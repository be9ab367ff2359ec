"""What the tests of the live page look at, and how they look."""

import math
import re
import time
import uuid

from playwright.sync_api import expect

from streams.catalog import load_catalog
from streams.clock import iso_utc, paris_date
from streams.forecast.kept import ForecastQuarter, KeptForecast, keep
from streams.history.archive import Archive
from streams.incidents import AlertRecord, Driver
from streams.settings import default_config_dir
from tests.history.days_made import archived
from tests.servers.browser import elsewhere
from tests.servers.observers import Filler, Place, now_minute
from tests.servers.scenes import fill, morning

CATALOG = load_catalog(default_config_dir())
VISITS = 14_000
WEEK_BEFORE = 500  # in Grand Est and in Auvergne-Rhône-Alpes each
#: Playwright's default of 5 s is for a machine that does nothing else.
PATIENT_MS = 120_000
expect.set_options(timeout=PATIENT_MS)


class Scene:
    """Three hours of a morning in Redis, settled up to `last`; `more` counts the minutes after it. `shift`: scenario time minus clock."""

    def __init__(self, redis_url, directory, hours=3, archive_dir=None, shift=0):
        self.place = Place(redis_url, f"page.{uuid.uuid4().hex[:12]}", directory, shift, archive_dir)
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


#: When the big number changes, said by the page itself: asking for it costs a busy machine seconds.
WATCH_BIG = """
new MutationObserver((_changes, self) => { window.bigChangedMs = Date.now(); self.disconnect(); })
  .observe(document.getElementById("big"), { childList: true, characterData: true, subtree: true })
"""


#: What is written on canvases.
WRITTEN = """
window.written = new Set();
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...more) { written.add(text); return write.call(this, text, ...more); };
"""


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
    board.now.minute += 1;
    board.visits = [...board.visits.slice(1), Math.round(5000 + 3000 * Math.sin(n / 40))];
    board.now.visits = board.visits.at(-1);
    board.now.events = board.now.visits * 9;
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


def archive_of_a_week_before(directory):
    """An archive of the days that lie a week before the scene; a detector takes long to load it."""
    archive = Archive(directory / "archive")
    archive.prepare(simulated=False)
    for day in {paris_date(now_minute() - 7 * 1440 + minutes) for minutes in (-200, 200)}:
        archived(archive, day, WEEK_BEFORE)
    return archive.directory


def keep_forecast(directory, now):
    """Two days that begin some hours before a time (epoch seconds): a course with one peak a day."""
    first = int(now // 900) * 900 - 4 * 3600
    told = [40_000 * (1.2 - math.cos((first + 900 * number) / 86_400 * 2 * math.pi)) for number in range(200)]
    quarters = tuple(
        ForecastQuarter(iso_utc((first + 900 * number) * 1000), each, each * 0.8, each * 1.2)
        for number, each in enumerate(told)
    )
    keep(directory, KeptForecast(iso_utc(int(time.time()) * 1000), "2026-08-30", (), quarters))


def look_down(page):
    """To where the forecast is asked for."""
    shown(page)
    page.locator(".forecast").scroll_into_view_if_needed()
