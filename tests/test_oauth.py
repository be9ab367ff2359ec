"""Tokens: one for all clients of a process, asked for again before it is too old; what is wrong is said."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streams.async_broker import async_client_options
from streams.broker import KafkaAddress
from streams.errors import KafkaUnavailable, SettingsError
from streams.oauth import TokenSource, token_source
from streams.settings import load_settings
from tests.token_endpoint import CLIENT, SECRET, TokenEndpoint, token_endpoint

OAUTH = {
    "kafka_security_protocol": "SASL_SSL",
    "kafka_sasl_mechanism": "OAUTHBEARER",
    "kafka_sasl_username": CLIENT,
    "kafka_sasl_password": SECRET,
}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenEndpoint]:
    with token_endpoint(tmp_path_factory.mktemp("tokens")) as found:
        yield found


def source(endpoint: TokenEndpoint, secret: str = SECRET) -> TokenSource:
    return TokenSource(f"{endpoint.url}/token", (CLIENT, secret), "events", None)


def test_one_token_serves_all_threads_until_it_grows_old(endpoint: TokenEndpoint) -> None:
    asked, given = source(endpoint), endpoint.given
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: asked.token(), range(40)))
    assert len(tokens) == 1
    assert endpoint.given == given + 1


def test_a_token_is_asked_for_again_before_its_life_ends(endpoint: TokenEndpoint) -> None:
    endpoint.answers += [(200, b'{"access_token":"a","expires_in":1}'), (200, b'{"access_token":"b"}')]
    asked = source(endpoint)
    assert asked.token() == "a"
    time.sleep(0.9)
    assert [asked.token(), asked.token()] == ["b", "b"]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"{}", "check kafka_sasl_username, kafka_sasl_password"),
        (500, b"oops", "answers 500"),
        (302, b"", "answers 302"),
        (200, b"<html>", "what is no token"),
        (200, b'{"token":"x"}', "what is no token"),
        (200, b'{"access_token":null}', "what is no token"),
        (200, b'{"access_token":"x","expires_in":"soon"}', "what is no token"),
    ],
)
def test_what_is_wrong_is_said(endpoint: TokenEndpoint, status: int, body: bytes, said: str) -> None:
    endpoint.answers.append((status, body))
    asked = source(endpoint)
    with pytest.raises(KafkaUnavailable, match=said):
        asked.token()
    with pytest.raises(KafkaUnavailable, match=said):  # not asked again within a second
        asked.token()
    assert not endpoint.answers


def test_an_endpoint_that_is_not_there(endpoint: TokenEndpoint) -> None:
    with pytest.raises(KafkaUnavailable, match="correct kafka_oauth_token_url"):
        TokenSource("http://127.0.0.1:9/token", (CLIENT, SECRET), None, None).token()


def test_both_clients_are_given_the_same_source(endpoint: TokenEndpoint) -> None:
    address = KafkaAddress(("a:1",), "SASL_PLAINTEXT", "OAUTHBEARER", CLIENT, SECRET, f"{endpoint.url}/token", "events")
    given = endpoint.given
    blocking, other = address.client_options(), async_client_options(address)
    tokens = {blocking["sasl_oauth_token_provider"].token(), asyncio.run(other["sasl_oauth_token_provider"].token())}
    assert len(tokens) == 1
    assert endpoint.given == given + 1
    assert "sasl_plain_password" not in other
    assert SECRET not in repr(address)
    token_source.cache_clear()


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (OAUTH, "kafka_oauth_token_url is needed"),
        ({"kafka_oauth_token_url": "https://sso.example.fr/token"}, "of no use without"),
        ({**OAUTH, "kafka_sasl_mechanism": "PLAIN", "kafka_oauth_scope": "x"}, "of no use without"),
        ({**OAUTH, "kafka_oauth_token_url": "sso.example.fr"}, "kafka_oauth_token_url"),
        ({**OAUTH, "kafka_oauth_token_url": "https://me:secret@sso.example.fr/token"}, "kafka_oauth_token_url"),
        ({**OAUTH, "kafka_oauth_token_url": "http://sso.example.fr/token"}, "travel in the clear"),
        ({**OAUTH, "kafka_oauth_token_url": "https://[fd00::/token"}, "kafka_oauth_token_url is no address"),
        ({**OAUTH, "kafka_oauth_token_url": "https://a,b/token"}, "kafka_oauth_token_url is no address: names several"),
        (
            {**OAUTH, "kafka_oauth_token_url": "https://a:99999/token"},
            "kafka_oauth_token_url is no address: has the port",
        ),
    ],
)
def test_settings_that_do_not_go_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chosen: dict[str, str], said: str
) -> None:
    for name, value in chosen.items():
        monkeypatch.setenv(f"VIGIE_{name.upper()}", value)
    with pytest.raises(SettingsError, match=said):
        load_settings()
