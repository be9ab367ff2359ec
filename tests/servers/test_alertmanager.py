"""A real Alertmanager with our configuration, on a real SMTP sink and webhook sink: who is called, in French, and who is not."""

import html
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.local import Process, Receivers, alertmanager, free_ports
from streams.local.process import find_program
from streams.settings import deploy_dir
from tests.alerting.sinks import Sinks, html_of
from tests.waiting import wait_until

pytestmark = pytest.mark.servers
PAGE = "http://observer.example.org:8000"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[int, Sinks]]:
    """Nothing is known of alerts that another test sent."""
    (port,) = free_ports(1)
    with Sinks() as sinks:
        receivers = Receivers(sinks.smtp, "astreinte@example.org", sinks.webhook_url, PAGE)
        program = alertmanager(tmp_path, port, receivers)
        # What is sent here is sent at once: the wait for what follows from it is shown by test_runbooks, on a whole stack.
        config = tmp_path / "alertmanager" / "alertmanager.yml"
        assert config.read_text().count("group_wait: 30s") == 1
        config.write_text(config.read_text().replace("group_wait: 30s", "group_wait: 2s"))
        process = Process(program)
        try:
            process.wait_ready()
            yield port, sinks
        finally:
            process.stop()


def send(port: int, *alerts: dict[str, str], ended: bool = False) -> None:
    now = datetime.now(UTC)
    body = [
        {
            "labels": labels,
            "annotations": {
                "summary": f"Résumé de {labels['alertname']} {labels.get('region', '')}",
                "description": "300 visites pour 100 attendues depuis 07:52 (3,0 fois). À faire d'abord : appeler.",
                "runbook_url": f"/runbooks/{labels['alertname']}",
                "dashboard_url": "/d/vigie-direct/direct",
            },
            "startsAt": now.isoformat(),
            **({"endsAt": now.isoformat()} if ended else {"endsAt": (now + timedelta(minutes=10)).isoformat()}),
        }
        for labels in alerts
    ]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v2/alerts", orjson.dumps(body), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=60).close()


def called(sinks: Sinks) -> set[str]:
    return {alert["labels"]["alertname"] for post in sinks.posts for alert in post["alerts"]}


def states(port: int) -> dict[str, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/alerts", timeout=60) as answer:
        found: list[dict[str, Any]] = orjson.loads(answer.read())
    return {one["labels"]["alertname"] + one["labels"].get("scope", ""): one["status"]["state"] for one in found}


def test_a_surge_reaches_mail_and_webhook_in_french_and_is_silenced_by_the_command_at_its_foot(
    running: tuple[int, Sinks], tmp_path: Path
) -> None:
    port, sinks = running
    labels = {"severity": "critical", "team": "exploitation", "region": "44", "project": "-", "kind": "surge"}
    surge = {"alertname": "EntSurge", "scope": "region", "service": "-", **labels}
    send(port, surge, {"alertname": "Watchdog", "severity": "none", "team": "vigie"})
    wait_until(lambda: bool(sinks.mails) and bool(sinks.posts), 60)
    assert states(port) == {"EntSurgeregion": "active", "Watchdog": "active"}
    assert called(sinks) == {"EntSurge"}
    mail = sinks.mails[0]
    assert mail["Subject"] == "[Vigie] Résumé de EntSurge 44"
    assert mail["To"] == "astreinte@example.org"
    page = html_of(mail)
    assert "300 visites pour 100 attendues depuis 07:52" in page
    assert re.findall(r'href="([^"]+)"', page) == [
        f"{PAGE}/runbooks/EntSurge", f"{PAGE}/?region=44", "http://127.0.0.1:13000/d/vigie-direct/direct"
    ]  # fmt: skip
    (tmp_path / "mail.html").write_text(page)
    # The command at its foot silences this alert, and nothing wider.
    command = html.unescape(page.partition("<code>")[2].partition("</code>")[0])
    subprocess.run(["sh", "-c", command.replace("amtool", find_program("amtool"), 1)], check=True, timeout=120)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/silences", timeout=60) as answer:
        (silence,) = orjson.loads(answer.read())
    assert {one["name"]: one["value"] for one in silence["matchers"]} == {
        "alertname": "EntSurge", "region": "44", "scope": "region",
    }  # fmt: skip


def test_a_mail_of_an_end_says_how_long_it_lasted(tmp_path: Path) -> None:
    """As Alertmanager's own tool renders it: a real end would take a minute and a half to be told."""
    alert = {
        "status": "resolved",
        "labels": {"alertname": "EntSurge"},
        "annotations": {"summary": "Hausse – Grand Est : 3,0 fois l'attendu"},
        "startsAt": "2026-09-01T07:58:10Z",
        "endsAt": "2026-09-01T08:16:40Z",
    }
    data = {"status": "resolved", "externalURL": "", "commonLabels": alert["labels"], "alerts": [alert]}
    (tmp_path / "data.json").write_bytes(orjson.dumps(data))
    templates = deploy_dir() / "alertmanager" / "templates" / "*.tmpl"

    def rendered(name: str, kind: str) -> str:
        argv = [
            find_program("amtool"), "template", "render", f"--template.glob={templates}", f"--template.type={kind}",
            f'--template.text={{{{ template "{name}" . }}}}', f"--template.data={tmp_path / 'data.json'}",
        ]  # fmt: skip
        return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True).stdout

    subject = rendered("vigie.subject", "text")
    assert subject.strip() == "[Vigie, terminé] Hausse – Grand Est : 3,0 fois l'attendu"
    assert "TERMINÉ : Hausse – Grand Est : 3,0 fois l'attendu\nL'alerte a duré 19 min." in rendered(
        "vigie.text", "text"
    )
    assert "L'alerte a duré 19 min." in html.unescape(rendered("vigie.html", "html"))


def test_a_chain_that_does_not_count_keeps_quiet_what_it_says_of_traffic(running: tuple[int, Sinks]) -> None:
    """Which alerts of traffic explain one another is no matter of Alertmanager any more: a region's does not hide a service's here."""
    port, _sinks = running
    labels = {"severity": "critical", "team": "exploitation", "region": "93", "project": "-", "kind": "drop"}
    drops = [
        {"alertname": "EntDrop", "scope": scope, "service": service, **labels}
        for scope, service in (("region", "-"), ("service", "NOTES"))
    ]
    send(port, *drops)
    wait_until(lambda: states(port).get("EntDropservice") == "active", 10)
    assert states(port)["EntDropregion"] == "active"
    lag = {"alertname": "EntLag", "severity": "warning", "team": "vigie"}
    send(port, lag, *drops)
    wait_until(lambda: {states(port)[f"EntDrop{scope}"] for scope in ("region", "service")} == {"suppressed"}, 10)
    send(port, lag, *drops, ended=True)


def test_a_dead_redis_keeps_everything_else_quiet_but_kafka(running: tuple[int, Sinks]) -> None:
    port, sinks = running
    names = ("EntRedisDown", "EntKafkaDown", "EntSettlingStale", "EntNoData", "EntDetectorStopped", "EntWorkerDown")
    send(port, *({"alertname": name, "severity": "critical", "team": "vigie"} for name in names))
    wait_until(lambda: "EntKafkaDown" in called(sinks), 60)
    time.sleep(1)
    now = states(port)
    assert {name for name in names if now[name] == "active"} == {"EntRedisDown", "EntKafkaDown"}
    assert not called(sinks) & {"EntSettlingStale", "EntNoData", "EntDetectorStopped", "EntWorkerDown"}


def test_the_steps_of_a_runbook_silence_and_acknowledge(running: tuple[int, Sinks]) -> None:
    port, _sinks = running
    for path in sorted((deploy_dir() / "runbooks").glob("Ent*.md")):
        steps = path.read_text().partition("**Faire taire et prendre en charge.**")[2]
        commands = [line.partition("`")[2].rpartition("`")[0] for line in steps.splitlines() if "`amtool " in line]
        assert len(commands) == 4, path.name
        for command in commands:
            own = command.replace("19093", str(port)).replace("amtool ", find_program("amtool") + " ")
            done = subprocess.run(["sh", "-c", own], capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, f"{path.name}: {command}\n{done.stderr}"
            if "silence query alertname" in command and "expire" not in command:
                assert "pris en charge" in done.stdout
