"""One observer process: the loop, the collector and the HTTP server, from settings to a clean stop."""

import logging
import socket
import time
from dataclasses import replace
from functools import partial

from streams.access import AccessScope, Gate, RouteScopes
from streams.addresses import host_port
from streams.catalog import load_catalog
from streams.edges import http_lock, http_tls, kafka_address
from streams.errors import DefectError, StateError
from streams.expose.alert_french import Words
from streams.expose.alert_samples import AlertScraper
from streams.expose.alertmanager import read_acknowledgements
from streams.expose.codes import Lists
from streams.expose.collector import ForecastScraper, Scraper
from streams.expose.http_app import Parts, create_app, observer_lifespan
from streams.expose.incidents import IncidentParts
from streams.expose.page import Feed, Sources
from streams.expose.page.curves import EarlierDays, Lines
from streams.expose.probes import (
    ACKNOWLEDGEMENT_LOOKS,
    KAFKA_LOOKS,
    Prober,
    archive_rules,
    installation,
    observer_rules,
    open_archives,
    open_detector,
    open_keeper,
    open_past,
    open_sketches,
    probe_kafka,
    quick_redis,
    read_status,
)
from streams.forecast.kept import kept
from streams.live import AlertStore
from streams.live.connection import redis_silence
from streams.observe import Archivist, Detector, ExpectedRow, Observer
from streams.observe.herald import Herald, ObserverLoops
from streams.settings import Settings, deploy_dir
from streams.stack_record import read_stack
from streams.watch import AlertScope
from streams.web import WebServer, listen

#: Bare: without a credential `/readyz` says whether, not why.
OBSERVER_ROUTES = RouteScopes(
    exact={
        "/healthz": None,
        "/readyz": None,
        "/metrics": AccessScope.METRICS,
        "/": AccessScope.READ,
        "/accessibilite": None,  # for everybody, by law; no figure is in it
        "/openapi.json": AccessScope.READ,
        "/prevision": AccessScope.READ,
        "/api/v1/forecast": AccessScope.READ,
        "/page/stream": AccessScope.READ,
        "/api/v1/minutes": AccessScope.READ,
        "/api/v1/alerts": AccessScope.READ,
        "/api/v1/incidents": AccessScope.READ,
        "/api/v1/expected": AccessScope.READ,
        "/api/v1/status": AccessScope.READ,
        # Readers see the shape of a value, administrators the value.
        "/api/v1/unseen": AccessScope.READ,
    },
    below={
        "/api/v1/alerts/": AccessScope.READ,
        "/api/v1/incidents/": AccessScope.READ,
        "/runbooks/": AccessScope.READ,
        # The style of the login form; no figure is in them.
        "/static": None,
    },
)


logger = logging.getLogger(__name__)

#: A stop waits this long for requests that are being answered, then for the loop: 10 s in all at most.
REQUESTS_SECONDS_MAX = 4
LOOP_SECONDS_MAX = 3.0
ARCHIVIST_SECONDS_MAX = 2.0
DETECTOR_SECONDS_MAX = 1.0


class ObserverServer:
    """One observer that listens: `run()` ends after `stop()`, after SIGTERM or Ctrl-C (in the main thread), or when the loop ended."""

    _ended_by_itself = False

    def __init__(self, settings: Settings) -> None:
        """Listen; connects to nothing yet.

        Raises:
            SettingsError: the lists of `config/` are wrong; or others reach it, and nothing says who may look.
            ServerError: the port is taken.
        """
        catalog, brokers = load_catalog(settings.config_dir), kafka_address(settings).bootstrap_servers
        keeper, sketches = open_keeper(settings), open_sketches(settings, catalog)
        archive, rules = archive_rules(settings, catalog), observer_rules(settings, catalog)
        observer = Observer(keeper, sketches, rules, self._on_end, open_archives(settings))
        archivist = Archivist(open_archives(settings, patient=True), archive) if archive else None
        detector = open_detector(settings, catalog, self._on_end) if settings.detector else None
        kafka = Prober(lambda: probe_kafka(brokers).up, KAFKA_LOOKS)
        silences = Prober(lambda: read_acknowledgements(settings.alertmanager_url), ACKNOWLEDGEMENT_LOOKS)
        words = Words(catalog, settings.calendar_shift_seconds)
        store = AlertStore(quick_redis(settings), settings.redis_prefix)
        incidents = IncidentParts(store, words, lambda: silences.known, _now_ms, settings.grafana_url)
        expected = detector.expected if detector else _not_judged
        sources = _sources(detector, incidents, open_past(settings, catalog, keeper))
        self._feed = feed = Feed(keeper, lambda: observer.census, catalog, settings.lateness_seconds * 1000, sources)
        vital = (observer.loop, *(part.loop for part in (archivist, detector) if part))
        loops = ObserverLoops(vital, (feed.loop, kafka.loop, silences.loop))
        herald = Herald(keeper.observers, f"{socket.gethostname()}:{settings.observer_port}", loops)
        self.loops = replace(loops, beside=(*loops.beside, herald.loop))
        forecast = partial(kept, settings.archive_dir)
        lists = Lists.of(catalog, metrics_all=settings.metrics_all)
        alerts = AlertScraper(
            incidents,
            lambda: detector.figures if detector else None,
            expected,
            lambda: kafka.known,
            settings.metrics_all,
        )
        scraper = Scraper(
            keeper,
            lambda: observer.census,
            lambda: archivist.figures if archivist else None,
            lists=lists,
            lateness_ms=settings.lateness_seconds * 1000,
            alerts=alerts,
            forecast=ForecastScraper(forecast, settings.calendar_shift_seconds),
            loops=self.loops.all,
        )
        known = installation(settings, catalog)
        parts = Parts(
            keeper,
            sketches,
            observer,
            self.loops,
            herald,
            scraper,
            catalog,
            lambda: read_status(known, keeper, lambda _settled_ms: observer.census, brokers, read_stack()),
            expected,
            incidents,
            feed,
            settings.calendar_shift_seconds,
            deploy_dir() / "runbooks",
            forecast,
            lambda: redis_silence(keeper.answered_at, settings.alive_without_redis_seconds),
        )
        self.app = create_app(parts, observer_lifespan(parts, LOOP_SECONDS_MAX))
        self._server = self._listening(settings)
        judging = ((detector, DETECTOR_SECONDS_MAX), (archivist, ARCHIVIST_SECONDS_MAX))
        # A look that hangs is left to end by itself.
        self._beside = [(silences.loop, 0.0), (kafka.loop, 0.0), *((part.loop, s) for part, s in judging if part)]

    def _listening(self, settings: Settings) -> WebServer:
        tls, lock = http_tls(settings, "observer"), http_lock(settings, "observer")
        advice = "choose another with `vigie serve --port N` (setting observer_port)"
        listening = listen(settings.observer_host, settings.observer_port, advice)
        guarded = self.app if lock is None else Gate(self.app, lock, OBSERVER_ROUTES)
        return WebServer(guarded, listening, REQUESTS_SECONDS_MAX, tls)

    def run(self) -> None:
        """Serve until stopped.

        Raises:
            DefectError: a thread ended by itself.
        """
        for loop, _seconds in self._beside:
            loop.start()
        self._server.serve_until_stopped()
        for loop, seconds in self._beside:
            loop.stop(seconds)
        if self._ended_by_itself:
            raise DefectError(
                "a thread of the observer ended by itself: see the traceback above, report it, and start `vigie serve` again"
            )

    def stop(self) -> None:
        """Ask it to end; from any thread."""
        self._server.stop()
        self._feed.loop.end()  # or open pages would be waited for

    def _on_end(self) -> None:
        self._ended_by_itself = True
        self.stop()


def serve(settings: Settings) -> None:
    """Observe and serve until SIGTERM or Ctrl-C; raises as `ObserverServer` does."""
    server = ObserverServer(settings)
    scheme = "http" if settings.tls_certfile is None else "https"
    logger.info("observer listens on %s://%s", scheme, host_port(settings.observer_host, settings.observer_port))
    server.run()


def _not_judged(_scope: AlertScope, _begin: int, _end: int) -> list[ExpectedRow]:
    raise StateError("this observer does not judge (setting detector): ask another one")


def _sources(detector: Detector | None, incidents: IncidentParts, past: tuple[EarlierDays | None, Lines]) -> Sources:
    if detector is None:
        return Sources(lambda _scope, _begin, _end: (), lambda: None, *past, incidents)
    return Sources(detector.expected, lambda: detector.figures.judged_to, *past, incidents)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
