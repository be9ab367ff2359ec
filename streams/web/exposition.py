"""An answer to a scrape: compressed where that is asked for."""

from __future__ import annotations

import gzip

from starlette.requests import Request
from starlette.responses import Response

#: The fastest level: it makes a scrape ten times smaller, a higher one hardly less for much more time.
LEVEL = 1


def exposed(request: Request, body: bytes, content_type: str) -> Response:
    """The body of `/metrics`, as gzip where `Accept-Encoding` allows it."""
    headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
    if allows_gzip(request.headers.getlist("accept-encoding")):
        body = gzip.compress(body, LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers)


def allows_gzip(accept_encoding: list[str]) -> bool:
    """Whether these header values allow gzip (RFC 9110, 12.5.3): by its name, or by `*` where it is not named; a weight of 0 forbids."""
    weights: dict[str, bool] = {}
    for each in ",".join(accept_encoding).split(","):
        coding, *parameters = (part.strip().lower() for part in each.split(";"))
        weights[coding] = all(_is_positive(text) for text in parameters if text.startswith("q="))
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


def _is_positive(parameter: str) -> bool:
    try:
        return float(parameter.removeprefix("q=")) > 0
    except ValueError:
        return False
