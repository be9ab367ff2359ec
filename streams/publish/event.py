"""What makes an event of a portal's values: who visited, without saying who; an id; JSON that keeps to the contract."""

import hmac
import os
import time
from collections.abc import Mapping

import orjson

from streams.errors import InputError
from streams.events import Reason, decode

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: What `str` takes of a number is limited by Python (4,300 digits); no id is as long.
USER_NUMBER_BITS_MAX = 1024
_PAIRS = [high + low for high in _CROCKFORD for low in _CROCKFORD]


def pseudonym(secret: bytes | str, user_id: str | int) -> str:
    """Return the `visitor` of an event: HMAC-SHA-256 of the ENT's user id with the project's secret, 64 hexadecimal digits.

    Text is taken as UTF-8, a whole number as its decimal digits. The same person must always be given by the same text: `42` and `042` are
    two visitors. The secret stays with the ENT; Vigie never sees it, nor the user id.

    Raises:
        InputError: the secret or the user id is empty, or no text, or a number of hundreds of digits.
    """
    if isinstance(user_id, int) and user_id.bit_length() > USER_NUMBER_BITS_MAX:
        raise InputError("A user id is a number of hundreds of digits, which no ENT has: give the id of one user")
    user = str(user_id) if isinstance(user_id, int) and not isinstance(user_id, bool) else user_id
    if not secret or not user or not isinstance(user, str):
        raise InputError(
            f"A pseudonym needs a secret and a user id that are not empty, the user id as text, not {type(user_id).__name__}; "
            "see docs/integration.md"
        )
    try:
        return hmac.digest(key_of(secret), user.encode(), "sha256").hex()
    except UnicodeEncodeError:
        raise InputError("A user id holds half a character (a lone surrogate): give it as it was decoded") from None


def key_of(secret: bytes | str) -> bytes:
    """Return a secret as bytes.

    Raises:
        InputError: it is text that holds half a character.
    """
    try:
        return secret.encode() if isinstance(secret, str) else secret
    except UnicodeEncodeError:
        raise InputError("A secret holds half a character (a lone surrogate): give it as bytes") from None


def fingerprint(secret: bytes) -> str:
    """Return 8 hexadecimal digits that tell two secrets apart, but too few to find one by trying."""
    return hmac.digest(secret, b"fingerprint of a secret", "sha256").hex()[:8]


def new_event_id(ts_ms: int | None = None) -> str:
    """Return a ULID: 26 characters that sort by time (`ts_ms`, else now) and hold 80 random bits."""
    number = (time.time_ns() // 1_000_000 if ts_ms is None else ts_ms) & 0xFFFF_FFFF_FFFF
    number = number << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


SECRET_BYTES_MIN = 16


class ProjectSecrets:
    """Project code -> the secret of its pseudonyms.

    Raises:
        InputError: one of them is too short.
    """

    def __init__(self, secrets: Mapping[str, bytes | str]) -> None:
        if not isinstance(secrets, Mapping):
            raise InputError(f'secrets is a {type(secrets).__name__}: give {{"project": secret}}')
        self._secrets = dict(secrets)
        for project, secret in self._secrets.items():
            if not isinstance(project, str) or not isinstance(secret, bytes | str):
                raise InputError(
                    f"secrets holds a {type(project).__name__} and a {type(secret).__name__}: give the project's code as text and its "
                    "secret as bytes or text"
                )
            if len(key_of(secret)) < SECRET_BYTES_MIN:
                raise InputError(
                    f"The secret of project {project!r} is shorter than {SECRET_BYTES_MIN} bytes, so that pseudonyms could be guessed: "
                    "make one with `openssl rand -hex 32` and keep it"
                )

    def of(self, project: str | None) -> tuple[str, bytes | str]:
        """Return a project and its secret; None is the only project there is.

        Raises:
            InputError: there is none, or several.
        """
        if project is None:
            if len(self._secrets) != 1:
                raise InputError(f"Name the project of the event: {self._held()}")
            return next(iter(self._secrets.items()))
        if not isinstance(project, str):
            raise InputError(
                f"The project of an event is its code, as text, not {type(project).__name__}: {self._held()}"
            )
        secret = self._secrets.get(project)
        if secret is None:
            raise InputError(
                f"No secret for project {project!r}: give VisitPublisher(..., secrets={{{project!r}: ...}})"
            )
        return project, secret

    def _held(self) -> str:
        return f"this publisher has the secrets of {', '.join(self._secrets) or 'none'}"


def encode_event(event: Mapping[str, object]) -> bytes:
    """Return an event as JSON.

    Raises:
        InputError: Vigie would reject it, or it is no JSON.
    """
    try:
        value = orjson.dumps(event)
    except TypeError as error:  # a type that JSON has not, half a character, a number beyond 64 bits
        raise InputError(f"The event cannot be written as JSON: {error}") from None
    read = decode(value)
    if isinstance(read, Reason):
        raise InputError(f"The event breaks the contract ({read.value}) and would be rejected: {value[:200]!r}")
    return value
