"""One observer process: the loop, the collector and the HTTP server, from settings to a clean stop."""

from __future__ import annotations

import logging
import socket
import time
from dataclasses import replace

from streams.access import Gate
from streams.addresses import host_port
from streams.catalog import Catalog, load_catalog
from streams.edges import http_lock, http_tls, kafka_address
from streams.errors import DefectError, StateError
from streams.expose.alert_french import Words
from streams.expose.alert_rows import AlertParts
from streams.expose.alert_samples import AlertScraper
from streams.expose.alertmanager import Acknowledgements
from streams.expose.collector import Scraper
from streams.expose.forecast_samples import ForecastScraper
from streams.expose.http_app import Parts, create_app, observer_lifespan
from streams.expose.incidents import IncidentParts
from streams.expose.page import Feed, Sources
from streams.expose.prober import Prober
from streams.expose.probes import (
    archive_rules,
    installation,
    observer_rules,
    open_alerts,
    open_archives,
    open_detector,
    open_keeper,
    open_past,
    open_sketches,
    probe_kafka,
    read_status,
)
from streams.expose.route_scopes import OBSERVER_ROUTES
from streams.expose.samples import Lists
from streams.expose.status import Status
from streams.forecast.kept import KeptForecast, kept
from streams.live import LiveKeeper, SketchReader
from streams.live.connection import redis_silence
from streams.observe import ArchiveFigures, Archivist, Detector, DetectorFigures, ExpectedRow, Observer
from streams.observe.herald import Herald, ObserverLoops
from streams.settings import Settings, deploy_dir
from streams.stack_record import read_stack
from streams.watch import AlertScope
from streams.web import WebServer, listen

logger = logging.getLogger(__name__)

#: A stop waits this long for requests that are being answered, then for the loop: 10 s in all at most.
REQUESTS_SECONDS_MAX = 4
LOOP_SECONDS_MAX = 3.0
ARCHIVIST_SECONDS_MAX = 2.0
DETECTOR_SECONDS_MAX = 1.0


class ObserverServer:
    """One observer that listens: `run()` ends after `stop()`, after SIGTERM or Ctrl-C (in the main thread), or when the loop ended."""

    def __init__(self, settings: Settings) -> None:
        """Listen; connects to nothing yet.

        Raises:
            SettingsError: the lists of `config/` are wrong; or others reach it, and nothing says who may look.
            ServerError: the port is taken.
        """
        catalog = load_catalog(settings.config_dir)
        advice = "choose another with `vigie serve --port N` (setting observer_port)"
        tls, lock = http_tls(settings, "observer"), http_lock(settings, "observer")
        listening = listen(settings.observer_host, settings.observer_port, advice)
        keeper, sketches = open_keeper(settings), open_sketches(settings, catalog)
        archive, rules = archive_rules(settings, catalog), observer_rules(settings, catalog)
        observer = Observer(keeper, sketches, rules, self._on_end, open_archives(settings))
        self._archivist = Archivist(open_archives(settings, patient=True), archive) if archive else None
        self._detector = open_detector(settings, catalog, self._on_end) if settings.detector else None
        brokers = kafka_address(settings).bootstrap_servers
        self._prober = Prober(lambda: probe_kafka(brokers).up)
        self._acknowledgements = Acknowledgements(settings.alertmanager_url)
        parts = _parts(
            settings,
            catalog,
            keeper,
            sketches=sketches,
            observer=observer,
            archivist=self._archivist,
            detector=self._detector,
            prober=self._prober,
            acknowledgements=self._acknowledgements,
        )
        app = create_app(parts, observer_lifespan(parts, LOOP_SECONDS_MAX))
        self.app = app
        guarded = app if lock is None else Gate(app, lock, OBSERVER_ROUTES)
        self._server = WebServer(guarded, listening, REQUESTS_SECONDS_MAX, tls)
        self._feed = parts.feed
        self.loops = parts.loops
        self._ended_by_itself = False

    def run(self) -> None:
        """Serve until stopped.

        Raises:
            DefectError: a thread ended by itself.
        """
        if self._archivist:
            self._archivist.loop.start()
        if self._detector:
            self._detector.loop.start()
        self._prober.start()
        self._acknowledgements.start()
        self._server.serve_until_stopped()
        self._acknowledgements.stop()
        self._prober.stop()
        if self._detector:
            self._detector.loop.stop(DETECTOR_SECONDS_MAX)
        if self._archivist:
            self._archivist.loop.stop(ARCHIVIST_SECONDS_MAX)
        if self._ended_by_itself:
            raise DefectError(
                "a thread of the observer ended by itself: see the traceback above, report it, and start `vigie serve` again"
            )

    def stop(self) -> None:
        """Ask it to end; from any thread."""
        self._server.stop()
        self._feed.end()  # or open pages would be waited for

    def _on_end(self) -> None:
        self._ended_by_itself = True
        self.stop()


def serve(settings: Settings) -> None:
    """Observe and serve until SIGTERM or Ctrl-C; raises as `ObserverServer` does."""
    server = ObserverServer(settings)
    scheme = "http" if settings.tls_certfile is None else "https"
    logger.info("observer listens on %s://%s", scheme, host_port(settings.observer_host, settings.observer_port))
    server.run()


def _parts(
    settings: Settings,
    catalog: Catalog,
    keeper: LiveKeeper,
    *,
    sketches: SketchReader,
    observer: Observer,
    archivist: Archivist | None,
    detector: Detector | None,
    prober: Prober,
    acknowledgements: Acknowledgements,
) -> Parts:
    lists = Lists.of(catalog, metrics_all=settings.metrics_all)
    known = installation(settings, catalog)
    brokers = kafka_address(settings).bootstrap_servers

    def status() -> Status:
        return read_status(known, keeper, lambda _settled_ms: observer.census, brokers, read_stack())

    def archive() -> ArchiveFigures | None:
        return archivist.figures if archivist else None

    def expected(scope: AlertScope, begin: int, end: int) -> list[ExpectedRow]:
        if detector is None:
            raise StateError("this observer does not judge (setting detector): ask another one")
        return detector.expected(scope, begin, end)

    def figures() -> DetectorFigures | None:
        return detector.figures if detector else None

    def forecast() -> KeptForecast | None:
        return kept(settings.archive_dir)

    store = open_alerts(settings)
    words = Words(catalog, settings.calendar_shift_seconds)
    alerts = AlertParts(store, words, expected, _now_ms)
    incidents = IncidentParts(store, words, lambda: acknowledgements.known, _now_ms, settings.grafana_url)
    shift_seconds, lateness_ms = settings.calendar_shift_seconds, settings.lateness_seconds * 1000
    scraped = AlertScraper(incidents, figures, expected, lambda: prober.up, settings.metrics_all)
    lines, earlier = open_past(settings, catalog, keeper)
    sources = Sources(
        lambda scope, begin, end: detector.expected(scope, begin, end) if detector else (),
        lambda: detector.figures.judged_to if detector else None,
        earlier,
        lines,
        incidents,
    )
    feed = Feed(keeper, lambda: observer.census, catalog, lateness_ms, sources)
    vital = (observer.loop, *(part.loop for part in (archivist, detector) if part))
    loops = ObserverLoops(vital, (feed.loop, prober.loop, acknowledgements.loop))
    herald = Herald(keeper.observers, f"{socket.gethostname()}:{settings.observer_port}", loops)
    loops = replace(loops, beside=(*loops.beside, herald.loop))
    scraper = Scraper(
        keeper,
        lambda: observer.census,
        archive,
        lists=lists,
        lateness_ms=lateness_ms,
        alerts=scraped,
        forecast=ForecastScraper(forecast, shift_seconds),
        loops=loops.all,
    )
    return Parts(
        keeper,
        sketches,
        observer,
        loops,
        herald,
        scraper,
        lists.codes,
        catalog,
        status,
        alerts,
        incidents,
        feed,
        shift_seconds,
        deploy_dir() / "runbooks",
        forecast,
        lambda: redis_silence(keeper.answered_at, settings.alive_without_redis_seconds),
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
