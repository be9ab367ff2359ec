"""Who may scrape a collector that others reach; each of its routes has its scope."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import httpx

from streams.access import AccessScope, Gate, Grant, Lock, TokenBook, TokenFile
from streams.access.tokens import make_token
from streams.broker import KafkaAddress
from streams.collect.collector_app import COLLECTOR_ROUTES, create_collector_app
from streams.collect.collector_limits import CollectorLimits
from streams.collect.door import Door, DoorRules
from streams.collect.event_log import EventLog
from streams.events import EventBounds


def test_metrics_ask_for_their_scope_and_health_for_none(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "tokens.json")
    made = {scope: make_token(Grant((scope,), projects=("mbn",)), datetime.now(UTC)) for scope in AccessScope}
    for each in made.values():
        file.add(each.token)
    log = EventLog(KafkaAddress(("127.0.0.1:9",)), "visits", 1.0)
    inner = create_collector_app(Door(TokenBook(file.path), log, DoorRules(CollectorLimits(), EventBounds(), 600)), log)
    assert {route.path for route in inner.routes} == set(COLLECTOR_ROUTES.exact)  # type: ignore[attr-defined]
    app = Gate(inner, Lock(TokenBook(file.path), "x" * 32), COLLECTOR_ROUTES)

    async def ask() -> dict[tuple[str, str], int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://collector") as client:
            found = {}
            for who in (None, *AccessScope):
                headers = {} if who is None else {"Authorization": f"Bearer {made[who].text}"}
                for path in ("/metrics", "/healthz", "/readyz", "/v1/token"):
                    found[str(who), path] = (await client.get(path, headers=headers)).status_code
            for odd in (b"Basic \xe9", b"Basic", b"Bearer \xe9", b"Basic /w==", b"Digest x"):
                assert (await client.get("/metrics", headers={b"Authorization": odd})).status_code == 401, odd
            admin = {"Authorization": f"Bearer {made[AccessScope.ADMIN].text}"}
            for path in ("/v1/events/", "/metrics/"):  # no redirect, which a token would follow
                assert (await client.get(path, headers=admin)).status_code == 404
            assert (await client.get("/readyz")).json() == {"ready": False, "reason": None}
            return found

    found = asyncio.run(ask())
    assert {who for (who, path), status in found.items() if path == "/metrics" and status == 200} == {
        "metrics",
        "admin",
    }
    assert (found["None", "/metrics"], found["send", "/metrics"]) == (401, 403)
    assert {status for (_who, path), status in found.items() if path == "/healthz"} == {200}
    # Kafka is away: the token is looked at first.
    assert [found[who, "/v1/token"] for who in ("None", "read", "send")] == [401, 403, 503]
