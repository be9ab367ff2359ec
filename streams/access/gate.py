"""The gate before an application: who somebody is, whether the route is for them, and a line of what they looked at.

There are two ways to be known. One sends a token: as bearer, as the password of basic authentication, or once in the login form, which
gives a signed cookie. Or a proxy names the person: it comes from its address, and knows its secret. An address that is in no table is open
to those who may read, never to everybody.
"""

import base64
import hmac
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as ASGIScope

from streams.access.login import FAILURES_SECONDS, LOGIN_PATHS, Failures, Login
from streams.access.token_book import NOBODY, STATE, TokenBook, TokenRefused, TokensUnreadable, Viewer
from streams.access.tokens import AccessScope
from streams.web import PEER, sender_of

log = logging.getLogger("streams.access_log")

COOKIE = "vigie_session"
SESSION_SECONDS_MAX = 12 * 3600
TOO_OFTEN = "too many wrong tokens came from this address: wait a minute"
#: What of an address the access log shows: codes of the lists, never what somebody typed.
_SHOWN = re.compile(r"(?:^|&)((?:region|academie|academy|ent|project|service|by|measure)=[A-Za-z0-9_,-]{1,40})(?=&|$)")


@dataclass(frozen=True, slots=True)
class RouteScopes:
    """Which scope each route asks for, None: none. `below` are beginnings of addresses; what is nowhere asks for `read`."""

    exact: Mapping[str, AccessScope | None]
    below: Mapping[str, AccessScope | None]

    def of(self, path: str) -> AccessScope | None:
        """The scope of an address."""
        if path in self.exact:
            return self.exact[path]
        return next((scope for start, scope in self.below.items() if path.startswith(start)), AccessScope.READ)

    def knows(self, path: str) -> bool:
        """Whether an address, or a route's pattern, is in the table."""
        return path in self.exact or any(path.startswith(start) for start in self.below)


@dataclass(frozen=True, slots=True)
class Lock:
    """What opens: tokens, a proxy at `proxy_address` that knows `proxy_secret`, or both. `session_secret` signs cookies."""

    book: TokenBook | None
    session_secret: str
    proxy_address: str | None = None
    proxy_secret: str | None = None


class Gate:
    """Around an ASGI application."""

    def __init__(self, app: ASGIApp, lock: Lock, routes: RouteScopes) -> None:
        self._app, self._lock, self._routes = app, lock, routes
        self._sessions = URLSafeTimedSerializer(lock.session_secret, salt="vigie-session")
        self._failures = Failures()
        self._login = Login(self._token_holder, self._sessions.dumps, COOKIE, SESSION_SECONDS_MAX)

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Let one request in, or not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in LOGIN_PATHS:
            await (await self._login.answer(scope, receive, self._failures))(scope, receive, send)
            return
        asked = self._routes.of(scope["path"])
        try:
            viewer = self._viewer(HTTPConnection(scope))
            refusal = None if asked is None or viewer.may(asked) else _refusal(scope, viewer, asked)
        except TokenRefused as error:
            viewer, refusal = NOBODY, _unauthorized(str(error))
            if str(error) == TOO_OFTEN:
                refusal = _problem(429, TOO_OFTEN, {"Retry-After": str(round(FAILURES_SECONDS))})
        except TokensUnreadable as error:
            viewer, refusal = NOBODY, _problem(503, str(error), {"Retry-After": "5"})
        scope.setdefault("state", {})[STATE] = viewer
        if refusal is not None and asked is not None:
            _note(scope, viewer, refusal.status_code)
            await refusal(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and asked in (AccessScope.READ, AccessScope.ADMIN):
                _note(scope, viewer, message["status"])
            await send(message)

        await self._app(scope, receive, noted)

    def _viewer(self, request: HTTPConnection) -> Viewer:
        """Who it is; nobody, where nothing was said.

        Raises:
            TokenRefused: what was said is wrong, or was wrong too often.
            TokensUnreadable: it cannot be looked up.
        """
        if (named := self._named_by_proxy(request)) is not None:
            return named
        if text := _sent_token(request.headers):
            try:
                return self._token_holder(text)
            except TokenRefused:
                # Who has the right one is let in whatever others of that address do.
                if self._failures.is_one_too_many(sender_of(request)):
                    raise TokenRefused(TOO_OFTEN) from None
                raise
        if (session := _cookie(request.headers)) is None or self._lock.book is None:
            return NOBODY
        try:
            which = self._sessions.loads(session, max_age=SESSION_SECONDS_MAX)
            return Viewer.of_token(self._lock.book.by_id(str(which)))
        except (BadData, TokenRefused):
            return NOBODY

    def _token_holder(self, text: str) -> Viewer:
        if self._lock.book is None:
            raise TokenRefused("this server takes no tokens: come through its proxy")
        return Viewer.of_token(self._lock.book.find(text))

    def _named_by_proxy(self, request: HTTPConnection) -> Viewer | None:
        lock = self._lock
        sent = request.headers.get("x-vigie-proxy-secret")
        if sent is None or lock.proxy_secret is None or request.scope.get(PEER) != lock.proxy_address:
            return None
        if not hmac.compare_digest(sent.encode(), lock.proxy_secret.encode()):
            raise TokenRefused("the proxy's secret is wrong: compare proxy_secret with what the proxy sends")
        if not (name := re.sub(r"[^\w@. -]", "?", request.headers.get("x-vigie-user", ""))[:80]):
            return None
        scopes, regions = (
            frozenset(request.headers.get(f"x-vigie-{what}", "").replace(",", " ").split())
            for what in ("scopes", "regions")
        )
        known = scopes & {AccessScope.READ, AccessScope.METRICS, AccessScope.ADMIN}
        return Viewer(name, frozenset(map(AccessScope, known)), None if "*" in regions else regions)


def _sent_token(headers: Headers) -> str | None:
    scheme, _, text = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return text.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(text.strip(), validate=True).decode().partition(":")[2]
        except ValueError:
            return "no token"
    return None


def _cookie(headers: Headers) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


def _refusal(scope: ASGIScope, viewer: Viewer, asked: AccessScope) -> Response:
    if viewer is not NOBODY:
        return _problem(403, f"{viewer.name} may not: this asks for the scope {asked.value!r}")
    if scope["method"] in ("GET", "HEAD") and "text/html" in Headers(scope=scope).get("accept", ""):
        # Relative: a proxy may serve us below a prefix.
        return RedirectResponse("../" * (scope["path"].count("/") - 1) + "login", 303)
    return _unauthorized("send a token as `Authorization: Bearer TOKEN`, or log in at /login")


def _unauthorized(why: str) -> Response:
    return _problem(401, why, {"WWW-Authenticate": 'Bearer realm="vigie"'})


def _problem(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": why}, status, headers)


def _note(scope: ASGIScope, viewer: Viewer, status: int) -> None:
    shown = " ".join(_SHOWN.findall(scope.get("query_string", b"").decode("latin-1"))) or "-"
    path = scope["path"] if re.fullmatch(r"[\w/.-]{1,80}", scope["path"]) else "?"
    log.info("%s %s %s %d %s", viewer.name, scope["method"], path, status, shown)
