"""The login form: a token typed once becomes a signed cookie. In French, as operators read it; without a script."""

import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive
from starlette.types import Scope as ASGIScope

from streams.access.token_book import TokenRefused, TokensUnreadable, Viewer
from streams.access.tokens import token_id
from streams.pages import render
from streams.web import sender_of

LOGIN_PATHS = ("/login", "/logout")
FORM_BYTES_MAX = 4096
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_WRONG = "Ce jeton n’est pas reconnu, ou n’est plus valable."
_TOO_OFTEN = "Trop d’essais depuis cette adresse : attendez une minute."
_LATER = "Les jetons ne peuvent pas être vérifiés pour l’instant : réessayez plus tard."


#: So many wrong tokens from one address within so long, and further wrong ones are not looked at; so many addresses are remembered.
FAILURES_MAX, FAILURES_SECONDS, ADDRESSES_MAX = 10, 60.0, 4096


class Failures:
    """Wrong tokens by address, in bounded memory."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def is_one_too_many(self, address: str) -> bool:
        """Note one more; whether this address has to wait, and it is not looked at."""
        now = time.monotonic()
        since, number = self._held.get(address, (now, 0))
        if now - since > FAILURES_SECONDS:
            since, number = now, 0
        if number >= FAILURES_MAX:
            return True
        self._held[address] = since, number + 1
        self._held.move_to_end(address)
        if len(self._held) > ADDRESSES_MAX:
            self._held.popitem(last=False)
        return False


class Login:
    """Answers /login and /logout. `holder` finds who has a token, `sign` makes a cookie's value of its id."""

    def __init__(
        self, holder: Callable[[str], Viewer], sign: Callable[[str], str | bytes], cookie: str, seconds_max: int
    ) -> None:
        self._holder, self._sign = holder, sign
        self._cookie, self._seconds_max = cookie, seconds_max

    async def answer(self, scope: ASGIScope, receive: Receive, tries: Failures) -> Response:
        """One request."""
        request = Request(scope, receive)
        if request.method not in ("GET", "HEAD", "POST"):
            return Response(status_code=405, headers={"Allow": "GET, HEAD, POST"})
        if request.url.path == "/logout":
            response: Response = RedirectResponse("login", 303)
            response.delete_cookie(self._cookie)
            return response
        if request.method != "POST":
            return _form(200)
        text = await _sent(request)
        try:
            self._holder(text)
        except TokenRefused:
            return _form(429, _TOO_OFTEN) if tries.is_one_too_many(sender_of(request)) else _form(401, _WRONG)
        except TokensUnreadable:
            return _form(503, _LATER)
        response = RedirectResponse("./", 303)
        value = self._sign(token_id(text) or "")
        response.set_cookie(
            self._cookie,
            value if isinstance(value, str) else value.decode(),
            max_age=self._seconds_max,
            secure=scope["scheme"] == "https",
            httponly=True,
            samesite="lax",
        )
        return response


async def _sent(request: Request) -> str:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > FORM_BYTES_MAX:
            return ""
    return parse_qs(body.decode("latin-1")).get("jeton", [""])[0].strip()


def _form(status: int, said: str = "") -> Response:
    return HTMLResponse(render("access/login.html", said=said), status, _SAFE)
