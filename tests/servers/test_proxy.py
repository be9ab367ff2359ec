"""An observer behind a real nginx that serves it below a prefix, which it strips: page, stream, runbooks, API, links."""

import http.client
import re
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

import orjson
import pytest
from playwright.sync_api import expect

from streams.live import AlertStore
from streams.live.connection import RedisAddress
from streams.local import Process, Program, free_ports
from streams.local.ports import http_ok
from streams.local.process import find_program
from tests.servers.browser import chromium, opened
from tests.servers.observers import observing
from tests.servers.page_scene import Scene, shown, surge

pytestmark = pytest.mark.servers

PREFIX = "/mesure/vigie/"
CONFIGURATION = """
daemon off;
user root;
pid {directory}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location {prefix} {{
            proxy_pass http://127.0.0.1:{observer}/;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
}}
"""


@pytest.fixture(scope="module")
def behind(redis_server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page behind nginx."""
    directory: Path = tmp_path_factory.mktemp("proxy")
    scene = Scene(redis_server.url, directory)
    with closing(AlertStore(RedisAddress(scene.place.redis_url), scene.place.prefix)) as store:
        store.judged(scene.last, [surge(scene.last)], [])
    (port,) = free_ports(1)
    with observing(scene.place) as observer:
        configuration = directory / "nginx.conf"
        configuration.write_text(
            CONFIGURATION.format(directory=directory, port=port, prefix=PREFIX, observer=observer.port)
        )
        # `-e`: before it has read its configuration it would write where a system service does.
        argv = (find_program("nginx"), "-e", "stderr", "-p", str(directory), "-c", str(configuration))
        ready = partial(http_ok, port, f"{PREFIX}healthz")
        nginx = Process(Program("nginx", argv, directory, directory / "nginx.log", port, ready=ready))
        try:
            nginx.wait_ready()
            yield f"http://127.0.0.1:{port}{PREFIX}"
        finally:
            nginx.stop()


def ask(address: str, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Status and body of what a link of the page leads to."""
    _scheme, _, host, target = urljoin(address, path).split("/", 3)
    connection = http.client.HTTPConnection(host, timeout=60)
    with closing(connection):
        connection.request(method, f"/{target}")
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_the_page_its_stream_and_the_runbooks_work_below_a_prefix(behind: str) -> None:
    with (
        chromium() as browser,
        opened(browser, behind) as page,
    ):  # `opened` fails where anything outside of the prefix is asked for
        shown(page)
        expect(page.locator("#map path")).to_have_count(18)
        page.locator("#place").select_option("region:53")
        expect(page.locator("h1")).to_have_text("Bretagne")
        assert page.url.startswith(f"{behind}?")
        page.locator("#reset").click()
        expect(page.locator("h1")).to_have_text("France entière")
        assert page.url == behind
        page.get_by_role("link", name="Procédures").click()
        page.get_by_role("link", name="EntSurge").click()
        page.wait_for_url(f"{behind}runbooks/EntSurge", wait_until="load")
        styles = page.evaluate("[...document.styleSheets].map(sheet => sheet.cssRules.length > 0)")
        assert styles == [True], "the page's style is found"
        page.get_by_role("link", name="Page directe").click()
        page.wait_for_url(behind)


def test_api_metrics_and_what_their_links_say_work_below_a_prefix(behind: str) -> None:
    _status, body = ask(behind, "openapi.json")
    schema = orjson.loads(body)
    (server,) = schema["servers"]
    paths = [path for path in schema["paths"] if "{" not in path and "expected" not in path]
    for path in (*paths, "/metrics"):
        address = urljoin(f"{behind}openapi.json", server["url"] + path)
        assert address.startswith(behind)
        answered = (
            (200, 404) if path == "/api/v1/forecast" else (200, 503)
        )  # no forecast is kept here, and Kafka is away
        assert ask(address, "")[0] in answered, path
        assert ask(address, "", "HEAD") == (ask(address, "")[0], b"")
    incidents = orjson.loads(ask(behind, "api/v1/incidents")[1])["incidents"]
    assert incidents
    for incident in incidents:
        for link in ("page", "runbook", "json"):
            assert ask(behind, incident["links"][link])[0] == 200, incident["links"]


def test_no_file_of_the_page_has_an_address_of_its_own_server(behind: str) -> None:
    """What a browser did not happen to ask for: every link of every page and runbook, and of the scripts."""
    for page in ("", "runbooks/", "runbooks/EntSurge"):
        _status, body = ask(behind, page)
        found = re.findall(r"(?:href|src)=\"([^\"#]+)\"", body.decode())
        assert found
        for link in found:
            assert urljoin(behind + page, link).startswith(behind), (page, link)
            assert ask(behind + page, link)[0] == 200, (page, link)
