"""Who may look: every route with each kind of credential, a region's viewer, the login form, a proxy that names people; over TLS."""

import logging
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from playwright.sync_api import expect

from streams.access import AccessScope, Grant, TokenFile
from streams.access.tokens import make_token
from streams.catalog import load_catalog
from streams.count import Cut, Field
from streams.errors import SettingsError
from streams.expose.observer import OBSERVER_ROUTES, ObserverServer
from streams.live import AlertStore
from streams.live.connection import RedisAddress
from streams.local import Process, Program, free_ports
from streams.local.process import find_program
from streams.settings import Settings, default_config_dir
from tests.certificates import make_certificate, trusting
from tests.servers.browser import chromium
from tests.servers.observers import Filler, Place, now_minute, observing_server
from tests.servers.page_scene import surge

pytestmark = pytest.mark.servers
CATALOG = load_catalog(default_config_dir())
PROXY_SECRET = "the proxy and Vigie know it"
#: What each credential may do.
GRANTS = {
    "read": Grant((AccessScope.READ,), name="lecteur"),
    "metrics": Grant((AccessScope.METRICS,), name="prometheus"),
    "admin": Grant((AccessScope.ADMIN,), name="exploitant"),
    "send": Grant((AccessScope.SEND,), projects=("mbn",), name="ENT"),
    "region": Grant((AccessScope.READ,), regions=("44",), name="rectorat de Nancy-Metz"),
    "old": Grant((AccessScope.ADMIN,), name="parti", days=1),
}
MAY = {
    "none": set(), "wrong": set(), "old": set(), "send": set(), "read": {AccessScope.READ}, "region": {AccessScope.READ},
    "metrics": {AccessScope.METRICS}, "admin": {AccessScope.READ, AccessScope.METRICS}, "proxied": {AccessScope.READ},
}  # fmt: skip
#: What a region's viewer is not shown, since it is of the whole country.
WHOLE = (
    "/api/v1/status", "/api/v1/unseen", "/page/stream", "/api/v1/expected", "/api/v1/forecast", "/prevision",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Guarded:
    """An observer behind its gate, and a token of each kind."""

    url: str
    server: ObserverServer
    certificate: Path
    tokens: dict[str, str]
    file: TokenFile

    def client(self, who: str = "none", **options: Any) -> httpx.Client:
        """A client with a credential of this kind."""
        trust = trusting(self.certificate)
        if who in ("wrong", "old"):  # from an address of their own: wrong ones are counted
            options["transport"] = httpx.HTTPTransport(verify=trust, local_address="127.0.0.9")
        headers = {"none": {}, "wrong": {"Authorization": "Bearer vigie_nobody_x"}}.get(who)
        if who == "proxied":
            headers = {"X-Vigie-Proxy-Secret": PROXY_SECRET, "X-Vigie-User": "anne@example.org"}
            headers |= {"X-Vigie-Scopes": "read", "X-Vigie-Regions": "*"}
        if headers is None:
            headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        return httpx.Client(base_url=self.url, verify=trust, headers=headers, timeout=60, **options)

    def status(self, who: str, path: str) -> int:
        """How a request is answered; of a stream, how it begins."""
        with self.client(who) as client, client.stream("GET", path) as answer:
            return answer.status_code


@pytest.fixture(scope="module")
def guarded(redis_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    directory = tmp_path_factory.mktemp("gate")
    certificate, key = make_certificate(directory)
    file = TokenFile(directory / "tokens.json")
    tokens = {}
    for who, grant in GRANTS.items():
        made = make_token(grant, datetime.now(UTC) - timedelta(days=3 if who == "old" else 0))
        file.add(made.token)
        tokens[who] = made.text
    locked = {
        "access_control": "on", "tokens_file": file.path, "tls_certfile": certificate, "tls_keyfile": key,
        "proxy_address": "127.0.0.1", "proxy_secret": PROXY_SECRET, "detector": False,
    }  # fmt: skip
    place = Place(redis_server.url, f"gate.{uuid.uuid4().hex[:12]}", directory, more=locked)
    last = now_minute() - 2
    filler = Filler(place, CATALOG.digest)
    counts: dict[Field, int] = {
        **{(Cut.EVENTS, region, "NOTES"): 10 for region in ("44", "75")},
        **{(Cut.VISITS, region): 5 for region in ("44", "75")},
        **{(Cut.PROJECT, project): 10 for project in ("mbn", "lycee_connecte")},
        **{(Cut.ACADEMY, code): 10 for code in ("12", "04")},
    }
    filler.count({last: counts}, watermark_ms=(last + 1) * 60_000)
    with closing(AlertStore(RedisAddress(place.redis_url), place.prefix)) as store:
        other = {"id": f"surge:region=75:{last - 4}", "region": "75"}
        france = {"id": f"surge:all:{last - 4}", "region": None, "scope": "national"}
        store.judged(last, [surge(last), surge(last, **other), surge(last, **france)], [])
    with observing_server(place) as (observer, server):
        yield Guarded(f"https://127.0.0.1:{observer.port}", server, certificate, tokens, file)


def paths(server: ObserverServer) -> list[str]:
    """An address of every route."""
    routes: list[Any] = [*server.app.routes]
    found = [re.sub(r"{[^}]*}", "x", route.path) for route in routes]
    return [f"{path}/page.css" if path == "/static" else path for path in found]


def test_every_route_is_in_the_table_and_asks_for_its_scope(guarded: Guarded) -> None:
    routes = paths(guarded.server)
    assert len(routes) > 14
    assert [path for path in routes if not OBSERVER_ROUTES.knows(path)] == []
    for who, may in MAY.items():
        with guarded.client(who) as client:
            for path in routes:
                with client.stream("GET", path) as answer:
                    _hold(who, path, answer.status_code, may)
    assert guarded.status("none", "/nothing/here") == 401  # what is nowhere is no way in either


def _hold(who: str, path: str, status: int, may: set[AccessScope]) -> None:
    """Hold that one kind of credential is answered as the table says."""
    asked = OBSERVER_ROUTES.of(path)
    if who == "region" and path in WHOLE:
        assert status == 403, (who, path)
    elif asked is None:
        assert status < 400 or path.endswith("z"), (who, path, status)
    elif asked in may:
        assert status not in (401, 403), (who, path, status)
    else:
        assert status in ((401, 429) if who in ("none", "wrong", "old") else (403,)), (who, path, status)


def test_prometheus_may_send_its_token_as_a_password(guarded: Guarded) -> None:
    with guarded.client() as client:
        assert client.get("/metrics", auth=("prometheus", guarded.tokens["metrics"])).status_code == 200
        assert client.get("/metrics", auth=("prometheus", "wrong")).status_code == 401
        assert client.get("/metrics", headers={"Authorization": "Basic ///"}).status_code == 401


def test_without_a_credential_health_says_whether_and_not_why(guarded: Guarded) -> None:
    with guarded.client() as client:
        assert client.get("/readyz").json()["problems"] == []
        assert client.get("/readyz").json()["reason"] is None
        assert client.get("/healthz").status_code == 200


def test_a_viewer_of_a_region_sees_it_and_no_other(guarded: Guarded) -> None:
    with guarded.client("region") as client:
        for by, member, seen in [
            ("region,service", "region", {"44"}),
            ("academy", "academy", {"12"}),
            ("project", "project", {"mbn"}),
        ]:
            rows = client.get("/api/v1/minutes", params={"by": by}).json()["rows"]
            assert {row[member] for row in rows} == seen, by
        for by in ("none", "service", "profile"):
            refused = client.get("/api/v1/minutes", params={"by": by})
            assert (refused.status_code, "region=44" in refused.text) == (403, True)
        assert {each["region"] for each in client.get("/api/v1/alerts").json()["alerts"]} == {"44"}
        assert {each["alert"]["region"] for each in client.get("/api/v1/incidents").json()["incidents"]} == {"44"}
        with guarded.client("read") as other:
            everything = other.get("/api/v1/alerts").json()["alerts"]
        assert {each["region"] for each in everything} == {"44", "75", None}
        hidden = next(each["id"] for each in everything if each["region"] == "75")
        for kind in ("alerts", "incidents"):
            assert client.get(f"/api/v1/{kind}/{hidden}").status_code == 404
        assert client.get("/api/v1/expected", params={"region": "75"}).status_code == 403
        page = client.get("/")
        assert (page.status_code, page.headers["Location"]) == (303, "?region=44")
        assert client.get("/?region=44").status_code == 200
        for elsewhere in ("region=75", "academie=04", "ent=lycee_connecte", "", "region=INCONNU"):
            assert guarded.status("region", f"/page/stream?{elsewhere}") == 403, elsewhere
        assert guarded.status("region", "/page/stream?academie=12") == 200
        with client.stream("GET", "/page/stream?region=44") as stream:
            board = next(orjson.loads(line[5:]) for line in stream.iter_lines() if line.startswith('data: {"scope"'))
        assert [row["code"] for row in board["regions"]] == ["44"]


def test_the_login_form_gives_a_session_that_ends_with_its_token(guarded: Guarded) -> None:
    made = make_token(Grant((AccessScope.READ,), name="de passage"), datetime.now(UTC))
    guarded.file.add(made.token)
    with guarded.client() as client:
        away = client.get("/", headers={"Accept": "text/html"})
        assert (away.status_code, away.headers["Location"]) == (303, "login")
        assert client.get("/runbooks/", headers={"Accept": "text/html"}).headers["Location"] == "../login"
        form = client.get("/login")
        assert (form.status_code, "Se connecter" in form.text) == (200, True)
        wrong = client.post("/login", data={"jeton": "vigie_x_y"})
        assert (wrong.status_code, "pas reconnu" in wrong.text) == (401, True)
        done = client.post("/login", data={"jeton": f" {made.text} "})
        assert (done.status_code, done.headers["Location"]) == (303, "./")
        assert {"HttpOnly", "Secure", "SameSite=lax"} <= set(done.headers["Set-Cookie"].split("; "))
        assert made.text not in done.headers["Set-Cookie"]
        assert client.get("/api/v1/status").status_code == 200
        assert client.get("/metrics").status_code == 403
        forged = client.cookies["vigie_session"][:-2] + "xx"
        with guarded.client(cookies={"vigie_session": forged}) as other:
            assert other.get("/api/v1/status").status_code == 401
        guarded.file.revoke(made.token.id)
        assert client.get("/api/v1/status").status_code == 401
        assert client.post("/logout").status_code == 303


def test_a_proxy_is_believed_from_its_address_and_with_its_secret(guarded: Guarded) -> None:
    named = {"X-Vigie-User": "anne", "X-Vigie-Scopes": "read", "X-Vigie-Regions": "44 75"}
    with guarded.client() as client:
        assert client.get("/api/v1/alerts", headers=named).status_code == 401
        assert client.get("/api/v1/alerts", headers=named | {"X-Vigie-Proxy-Secret": "guessed"}).status_code == 401
        right = named | {"X-Vigie-Proxy-Secret": PROXY_SECRET}
        assert {each["region"] for each in client.get("/api/v1/alerts", headers=right).json()["alerts"]} == {"44", "75"}
        assert client.get("/metrics", headers=right).status_code == 403
        # Named for no region: sees none.
        assert client.get("/api/v1/alerts", headers=right | {"X-Vigie-Regions": ""}).json()["alerts"] == []
        assert client.get("/api/v1/alerts", headers=right | {"X-Vigie-User": ""}).status_code == 401
        believed = right | {"X-Forwarded-For": "127.0.0.1"}
    far = httpx.HTTPTransport(verify=trusting(guarded.certificate), local_address="127.0.0.2")
    with httpx.Client(base_url=guarded.url, transport=far) as client:
        assert client.get("/api/v1/alerts", headers=believed).status_code == 401


def test_who_looked_at_what_is_logged_and_nothing_that_was_typed(
    guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "streams.access_log"), guarded.client("region") as client:
        client.get("/api/v1/minutes", params={"by": "region", "from": "Amélie"})
        client.get("/api/v1/expected", params={"region": "75", "service": "/eleve/Dupont"})
        client.get("/healthz")
    said = [record.getMessage() for record in caplog.records if record.name == "streams.access_log"]
    token_id = guarded.tokens["region"].split("_")[1]
    who = f"{token_id} rectorat de Nancy-Metz"
    assert said == [f"{who} GET /api/v1/minutes 422 by=region", f"{who} GET /api/v1/expected 422 region=75"]


def test_too_many_wrong_tokens_from_one_address_wait_and_right_ones_do_not(guarded: Guarded) -> None:
    def client(address: str) -> httpx.Client:
        far = httpx.HTTPTransport(verify=trusting(guarded.certificate), local_address=address)
        return httpx.Client(base_url=guarded.url, transport=far)

    with client("127.0.0.3") as guesser:
        for number in range(10):
            assert guesser.get("/metrics", headers={"Authorization": f"Bearer vigie_a_{number}"}).status_code == 401
        refused = guesser.get("/metrics", headers={"Authorization": "Bearer vigie_a_b"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
        assert guesser.post("/login", data={"jeton": "vigie_a_b"}).status_code == 429
        right = {"Authorization": f"Bearer {guarded.tokens['metrics']}"}
        assert guesser.get("/metrics", headers=right).status_code == 200  # nobody is kept out by others of one address
    with client("127.0.0.4") as other:
        assert other.get("/metrics", headers={"Authorization": "Bearer vigie_a_b"}).status_code == 401


#: Cookie of a session -> e-mail and groups.
PEOPLE = {
    "who=anne": ("anne@example.org", "staff,vigie-rectorat-44"),
    "who=luc": ("luc@example.org", "vigie-exploitation"),
}


class IdentityProvider(BaseHTTPRequestHandler):
    """What nginx hears of oauth2-proxy: who has the cookie of a session there, and in which groups they are."""

    def do_GET(self) -> None:
        known = PEOPLE.get(self.headers.get("Cookie", ""))
        self.send_response(401 if known is None or self.path != "/oauth2/auth" else 202)
        if known is not None:
            self.send_header("X-Auth-Request-Email", known[0])
            self.send_header("X-Auth-Request-Groups", known[1])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def nginx(guarded: Guarded, tmp_path: Path) -> Iterator[str]:
    """deploy/nginx/vigie.conf, with the places of this test."""
    (port,) = free_ports(1)
    provider = ThreadingHTTPServer(("127.0.0.1", 0), IdentityProvider)
    thread = threading.Thread(target=provider.serve_forever, args=(0.01,))
    thread.start()
    text = (Path(__file__).parents[2] / "deploy" / "nginx" / "vigie.conf").read_text()
    for written, here in [
        ("127.0.0.1:8443", f"127.0.0.1:{port}"),
        ("http://127.0.0.1:8000", guarded.url),
        ("127.0.0.1:4180", f"127.0.0.1:{provider.server_port}"),
        ("/etc/vigie/tls.pem", str(guarded.certificate)),
        ("/etc/vigie/tls.key", str(guarded.certificate.with_suffix(".key"))),
        ("PROXY_SECRET", PROXY_SECRET),
    ]:
        assert written in text, written
        text = text.replace(written, here)
    paths = "".join(
        f"{name}_temp_path {tmp_path}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = f"daemon off;\nuser root;\npid {tmp_path}/pid;\nerror_log stderr;\nevents {{ }}\nhttp {{\naccess_log off;\n{paths}{text}\n}}\n"
    (tmp_path / "nginx.conf").write_text(whole)
    argv = (find_program("nginx"), "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"))
    url = f"https://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return httpx.get(url, verify=trusting(guarded.certificate)).status_code < 600
        except httpx.TransportError:
            return False

    process = Process(Program("nginx", argv, tmp_path, tmp_path / "nginx.log", port, ready=ready))
    try:
        process.wait_ready()
        yield url
    finally:
        process.stop()
        provider.shutdown()
        provider.server_close()
        thread.join()


def test_behind_nginx_the_identity_provider_says_who_looks(guarded: Guarded, nginx: str) -> None:
    faked = {"X-Vigie-User": "eve", "X-Vigie-Scopes": "admin", "X-Vigie-Regions": "*", "X-Vigie-Proxy-Secret": "x"}
    for cookie, status, regions in [
        ("who=anne", 200, {"44"}),
        ("who=luc", 200, {"44", "75", None}),
        ("who=eve", 401, None),
    ]:
        for headers in ({}, faked):
            with httpx.Client(
                base_url=nginx, verify=trusting(guarded.certificate), headers=headers | {"Cookie": cookie}
            ) as client:
                answer = client.get("/api/v1/alerts")
                assert answer.status_code == status, (cookie, answer.text)
                if regions is not None:
                    assert {each["region"] for each in answer.json()["alerts"]} == regions
                    assert client.get("/metrics").status_code == (200 if cookie == "who=luc" else 403)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"observer_host": "0.0.0.0", "tls_by_proxy": True}, "tokens_file"),
        ({"observer_host": "::", "tls_by_proxy": True}, "proxy_address and proxy_secret"),
        ({"observer_host": "0.0.0.0"}, "tls_certfile"),
        ({"access_control": "on"}, "tokens_file"),
        ({"access_control": "on", "tokens_file": "/nowhere/tokens.json"}, "vigie token new"),
    ],
)
def test_an_observer_that_anybody_could_look_at_does_not_start(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        ObserverServer(Settings(kafka_bootstrap_servers="127.0.0.1:9", redis_url="redis://127.0.0.1:9/0", **settings))


def test_a_page_whose_session_ends_shows_the_login_form(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not « connexion perdue », which would be for ever."""
    monkeypatch.setattr("streams.expose.page.routes.STREAM_SECONDS_MAX", 3.0)
    made = make_token(Grant((AccessScope.READ,), name="lectrice"), datetime.now(UTC))
    guarded.file.add(made.token)
    with chromium() as browser, closing(browser.new_context(ignore_https_errors=True)) as context:
        page = context.new_page()
        page.goto(f"{guarded.url}/")
        page.get_by_label("Jeton d’accès").fill(made.text)
        page.get_by_role("button", name="Se connecter").click()
        expect(page.locator("h1")).to_have_text("France entière")
        expect(page.locator("#place option").nth(1)).to_be_attached()  # the lists came with the stream
        page.wait_for_timeout(4000)  # a stream that ended goes on by itself
        assert page.evaluate("document.body.dataset.link") != "lost"
        guarded.file.revoke(made.token.id)
        expect(page.get_by_role("button", name="Se connecter")).to_be_visible()
        assert page.url.endswith("/login")
