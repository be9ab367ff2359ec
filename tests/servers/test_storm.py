"""A storm of 317 alerts is one incident in all five places, and taken in charge once: page, command, API, e-mail and Grafana's queries."""

import json
import re
import urllib.parse
import urllib.request
import uuid
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from streams.catalog import load_catalog
from streams.live import AlertStore
from streams.live.connection import RedisAddress
from streams.local import Process, Receivers, ScrapedPorts, alertmanager, free_ports, prometheus
from streams.settings import default_config_dir
from tests.alerting.sinks import Sinks, html_of
from tests.board_queries import queries
from tests.incidents.storms import storm
from tests.servers.browser import chromium, elsewhere, opened, violations
from tests.servers.observers import Filler, Place, events, now_minute, observing, vigie
from tests.waiting import wait_until

pytestmark = pytest.mark.servers

CATALOG = load_catalog(default_config_dir())
expect.set_options(timeout=120_000)


def hurried(path, **changes):
    """A configuration with shorter waits."""
    text = path.read_text()
    for wanted, given in changes.values():
        assert wanted in text
        text = text.replace(wanted, given)
    path.write_text(text)


@contextmanager
def running(program):
    process = Process(program)
    try:
        process.wait_ready()
        yield
    finally:
        process.stop()


@contextmanager
def chain(redis_url, directory):
    """An observer of a Redis with the storm in it, scraped by Prometheus, which calls through Alertmanager."""
    prometheus_port, alertmanager_port, observer_port = free_ports(3)
    place = Place(
        redis_url, f"storm.{uuid.uuid4().hex[:12]}", directory, alertmanager_url=f"http://127.0.0.1:{alertmanager_port}"
    )
    minute = now_minute() - 3
    filler = Filler(place, CATALOG.digest)
    elsewhere(
        filler.count, {m: events(300) for m in range(minute - 20, minute + 1)}, watermark_ms=(minute + 1) * 60_000
    )
    store = AlertStore(RedisAddress(redis_url), place.prefix)
    store.judged(minute + 1, storm(CATALOG, minute - 12, until=minute + 2), [])
    store.close()
    with Sinks() as sinks:
        receivers = Receivers(sinks.smtp, "astreinte@example.org", None, f"http://127.0.0.1:{observer_port}")
        calling = alertmanager(directory, alertmanager_port, receivers)
        hurried(directory / "alertmanager" / "alertmanager.yml", wait=("group_wait: 30s", "group_wait: 3s"))
        scraping = prometheus(
            directory, ScrapedPorts((observer_port,), (9,), prometheus_port, alertmanager_port, collector=9)
        )
        hurried(
            directory / "prometheus" / "prometheus.yml",
            interval=("_interval: 5s", "_interval: 1s"),
            timeout=("_timeout: 4s", "_timeout: 1s"),
        )
        with running(calling), running(scraping), observing(place, observer_port) as observer:
            yield place, observer, prometheus_port, sinks


def asked(port, query):
    address = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(address, timeout=60) as answer:
        return json.load(answer)["data"]["result"]


def mailed(sinks):
    return [mail for mail in sinks.mails if "Hausse" in mail["Subject"]]


def test_a_storm_is_one_incident_in_all_five_places(redis_server, tmp_path):
    with chain(redis_server.url, tmp_path) as (place, observer, prometheus_port, sinks), chromium() as browser:
        # The API.
        _status, answer = observer.json("/api/v1/incidents?state=running")
        (one,) = answer["incidents"]
        title, counts = one["title"], {"alerts": 316, "national": 0, "regions": 13, "projects": 13, "services": 290}
        assert (title, one["explains"], answer["alerts"]) == ("Hausse – France entière", counts, 317)
        sentence = one["explanation"]
        assert sentence.endswith("Explique 316 autres alertes : 13 régions, 13 ENT, 290 services.")
        # The command.
        told = vigie(place, "alerts", "--state", "running").stdout.decode().splitlines()
        assert [line for line in told if not line.startswith((" ", "«"))][:1] == [one["id"]]
        (said,) = [line for line in told if line.startswith("  ")]
        assert said.startswith("  surge, France: ")
        assert said.endswith("explains 316 other alerts: 13 regions, 13 projects, 290 services")
        assert told[-1].startswith("1 incident of 317 alerts, 1 running")
        assert len(vigie(place, "alerts", "--state", "running", "--each", "--json").stdout.splitlines()) == 317
        # The page.
        with opened(browser, f"http://127.0.0.1:{observer.port}/") as page:
            on_page(page, title)
            # Grafana's queries.
            wait_until(lambda: bool(asked(prometheus_port, "ALERTS{alertstate='firing',alertname='EntSurge'}")), 30)
            on_boards(prometheus_port, title)
            # The e-mail.
            wait_until(lambda: bool(mailed(sinks)), 60)
            (mail,) = mailed(sinks)
            assert (
                mail["Subject"]
                == f"[Vigie] {title} : × 3,0 depuis {sentence.partition('depuis ')[2][:5]}, × 4,1 ces 5 dernières minutes"
            )
            body = html_of(mail)
            assert sentence.replace("'", "&#39;") in body
            assert links(body) == [one["links"][name] for name in ("runbook", "page", "board", "json")]
            taken_in_charge(place, observer, page, one["id"])
            wait_until(lambda: "Claire jusqu'à" in str(in_charge_on_boards(prometheus_port)), 30)


def links(body):
    """Without the servers in front; France's page is the page."""
    found = [link.replace("&amp;", "&") for link in re.findall(r'href="http://[^/]+/([^"]*)"', body)]
    return [urllib.parse.quote(link, safe="/?&=-.") if "incidents" in link else link or "./" for link in found]


def on_page(page, title):
    alerts = page.locator("#alerts")
    expect(alerts.locator(".running .alert")).to_have_count(1)
    expect(alerts.locator(".running h3")).to_have_text(title)
    expect(page.locator("#alerts-count")).to_have_text("1 en cours, de 317 alertes")
    alerts.locator(".running summary").click()
    expect(alerts.locator(".parts li")).to_have_count(20)
    expect(alerts).to_contain_text("20 sur 316")
    assert violations(page) == []


def on_boards(port, title):
    wait_until(lambda: {"317", "4.1"} <= values_on_boards(port, title), 30)  # a busy machine misses a scrape


def values_on_boards(port, title):
    shown = {query.where: asked(port, query.sent) for query in queries() if "ent_incident_alerts" in query.expression}
    assert len(shown) >= 3
    for where, series in shown.items():
        if " / $" not in where:
            assert [one["metric"]["title"] for one in series if "title" in one["metric"]] in ([title], []), where
    return {one["value"][1] for series in shown.values() for one in series}


def in_charge_on_boards(port):
    """Who, in each table of Grafana that says it."""
    found = [asked(port, query.sent) for query in queries() if "ent_alert_acknowledged" in query.expression]
    return [[one["metric"]["who"] for one in series] for series in found]


def taken_in_charge(place, observer, page, incident):
    """By command; then every screen says who, and until when."""
    part = observer.json(f"/api/v1/incidents/{urllib.parse.quote(incident, safe='')}")[1]["alerts"][0]["id"]
    assert "is a part of" in vigie(place, "alerts", "ack", part).message
    assert "72 h" in vigie(place, "alerts", "ack", incident, "--for", "100h").message
    done = vigie(place, "alerts", "ack", incident, "--by", "Claire", "--for", "90m", "--comment", "je regarde")
    assert done.code == 0, done.message
    said = done.stdout.decode().partition(": ")[2].strip()
    until = re.fullmatch(r"taken in charge by Claire until \d{4}-\d\d-\d\d (\d\d:\d\d)[+]0[12]:00 \(je regarde\)", said)
    assert until
    assert said in vigie(place, "alerts").stdout.decode()

    def known():
        return observer.json("/api/v1/incidents?state=running")[1]["incidents"][0]["acknowledged"]

    wait_until(lambda: known() is not None, 15)
    assert (known()["who"], known()["comment"]) == ("Claire", "je regarde")
    expect(page.locator("#alerts .running .meta")).to_contain_text(f"pris en charge par Claire jusqu'à {until[1]}")
    with urllib.request.urlopen(f"{place.alertmanager_url}/api/v2/alerts", timeout=60) as answer:
        states = {one["labels"]["alertname"]: one["status"]["state"] for one in json.load(answer)}
    assert states["EntSurge"] == "suppressed"
