"""Tokens with which clients of Kafka log in (SASL OAUTHBEARER): asked for at an endpoint by client credentials, kept while young."""

import ssl
import threading
import time
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from streams.decoded_types import known
from streams.errors import KafkaUnavailable

ASK_SECONDS_MAX = 5.0
#: A token is used for this part of its life, and for so long where the endpoint does not say how long it lives.
SHARE_USED = 0.8
LIFE_SECONDS = 300.0
#: An endpoint that just failed is not asked again at once: many connections may want a token.
PAUSE_SECONDS = 1.0


class _Granted(msgspec.Struct, frozen=True):
    """An answer of the endpoint (RFC 6749, 5.1)."""

    access_token: str
    expires_in: float = LIFE_SECONDS


class TokenSource:
    """Gives the token of the client (its id, its secret), from any thread.

    `cafile` is an authority that is trusted beside those that Python trusts.
    """

    def __init__(self, url: str, client: tuple[str, str], scope: str | None, cafile: str | None) -> None:
        context = ssl.create_default_context()
        if cafile is not None:
            context.load_verify_locations(cafile)
        self._http = urllib3.PoolManager(ssl_context=context, retries=False, timeout=ASK_SECONDS_MAX)
        self._url = url
        self._headers = {
            **urllib3.make_headers(basic_auth=":".join(client)),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._form = urlencode({"grant_type": "client_credentials", **({"scope": scope} if scope else {})})
        self._lock = threading.Lock()
        self._token: str | None = None
        self._until = 0.0
        self._failed: KafkaUnavailable | None = None

    def token(self) -> str:
        """The token, a new one where it has grown old.

        Raises:
            KafkaUnavailable: the endpoint gives none.
        """
        with self._lock:
            if (now := time.monotonic()) < self._until:
                if self._failed is not None:
                    raise self._failed
                if self._token is not None:
                    return self._token
            try:
                granted = self._ask()
            except KafkaUnavailable as error:
                self._failed, self._until = error, now + PAUSE_SECONDS
                raise
            self._failed, self._token = None, granted.access_token
            self._until = now + SHARE_USED * granted.expires_in
            return self._token

    def _ask(self) -> _Granted:
        try:
            answer = self._http.request("POST", self._url, body=self._form, headers=self._headers)
        except (HTTPError, OSError) as error:
            raise KafkaUnavailable(
                f"the token endpoint {self._url} does not answer: {error}; start it, or correct kafka_oauth_token_url"
            ) from error
        if answer.status in (400, 401, 403):
            raise KafkaUnavailable(
                f"the token endpoint {self._url} refuses this client ({answer.status}): check kafka_sasl_username, kafka_sasl_password "
                "and kafka_oauth_scope"
            )
        if answer.status != 200:
            raise KafkaUnavailable(
                f"the token endpoint {self._url} gives no token: it answers {answer.status}; see its log"
            )
        try:
            return msgspec.json.decode(answer.data, type=known(_Granted), strict=False)  # some give numbers as text
        except msgspec.DecodeError as error:
            raise KafkaUnavailable(
                f"the token endpoint {self._url} answers what is no token ({error}): correct kafka_oauth_token_url"
            ) from error


@lru_cache(maxsize=16)
def token_source(url: str, username: str, password: str, scope: str | None, cafile: str | None) -> TokenSource:
    """The one source of a process for these: its clients share a token."""
    return TokenSource(url, (username, password), scope, cafile)


def blocking_provider(source: TokenSource) -> Any:
    """What kafka-python asks."""
    from kafka.net.sasl.oauth import AbstractTokenProvider

    class Provider(AbstractTokenProvider):  # type: ignore[misc]
        def token(self) -> str:
            return source.token()

    return Provider()
