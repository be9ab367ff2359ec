"""What makes an event of a portal's values: the secret of its project, and JSON that keeps to the contract. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from streams.errors import InputError
from streams.events import Reason, decode
from streams.publish.identity import key_of

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
