"""Alertmanager's silences: read for screens, set by `vigie alerts ack`. Every call is bounded in time."""

from datetime import datetime
from typing import TypeVar

import msgspec
import urllib3

from streams.clock import iso_utc
from streams.decoded_types import known
from streams.errors import ServerError
from streams.incidents import Acknowledgement, Matcher

SECONDS_MAX = 2.0
T = TypeVar("T")


class _Status(msgspec.Struct):
    state: str


class _Silence(msgspec.Struct, rename="camel"):
    matchers: tuple[Matcher, ...]
    ends_at: datetime
    created_by: str
    comment: str
    status: _Status


class _Created(msgspec.Struct):
    silence_id: str = msgspec.field(name="silenceID")


def read_acknowledgements(url: str) -> tuple[Acknowledgement, ...]:
    """The silences that are active.

    Raises:
        ServerError: Alertmanager does not answer, or not as it should.
    """
    return tuple(
        Acknowledgement(
            by=one.created_by,
            until_ms=round(one.ends_at.timestamp() * 1000),
            comment=one.comment,
            matchers=one.matchers,
        )
        for one in _decoded(_call(url, "/api/v2/silences?active=true"), list[_Silence], url)
        if one.status.state == "active"
    )


def acknowledge(url: str, given: Acknowledgement, now_ms: int) -> str:
    """Set a silence from now on; return its id.

    Raises:
        ServerError: Alertmanager does not answer, or refuses.
    """
    body = msgspec.json.encode(
        {
            "matchers": given.matchers,
            "startsAt": iso_utc(now_ms, milliseconds=True),
            "endsAt": iso_utc(given.until_ms, milliseconds=True),
            "createdBy": given.by,
            "comment": given.comment,
        }
    )
    return _decoded(_call(url, "/api/v2/silences", body), _Created, url).silence_id


def _call(url: str, path: str, body: bytes | None = None) -> bytes:
    method, headers = ("GET", {}) if body is None else ("POST", {"Content-Type": "application/json"})
    try:
        answer = urllib3.request(
            method, url.rstrip("/") + path, body=body, headers=headers, timeout=SECONDS_MAX, retries=False
        )
    except urllib3.exceptions.HTTPError as error:
        reason = str(error).rpartition(": ")[2]
        raise ServerError(
            f"Alertmanager does not answer at {url} ({reason}): start it, or set alertmanager_url"
        ) from None
    if answer.status >= 300:
        said = answer.data[:500].decode(errors="replace").strip()
        raise ServerError(f"Alertmanager at {url} refuses ({answer.status}): {said}")
    return answer.data


def _decoded(body: bytes, type_: type[T], url: str) -> T:
    try:
        return msgspec.json.decode(body, type=known(type_))
    except msgspec.MsgspecError as error:
        raise ServerError(
            f"what answers at {url} is no Alertmanager ({error}): set alertmanager_url to Alertmanager's own address"
        ) from None
