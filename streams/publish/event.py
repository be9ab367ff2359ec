"""What makes an event of a portal's values: the secret of its project, and JSON that keeps to the contract. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from streams.errors import InputError
from streams.events import Reason, decode

SECRET_BYTES_MIN = 16


class ProjectSecrets:
    """Project code -> the secret of its pseudonyms.

    Raises:
        InputError: one of them is too short.
    """

    def __init__(self, secrets: Mapping[str, bytes | str]) -> None:
        self._secrets = dict(secrets)
        for project, secret in self._secrets.items():
            if len(secret if isinstance(secret, bytes) else secret.encode()) < SECRET_BYTES_MIN:
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
                held = ", ".join(self._secrets) or "none"
                raise InputError(f"Name the project of the event: this publisher has the secrets of {held}")
            return next(iter(self._secrets.items()))
        secret = self._secrets.get(project)
        if secret is None:
            raise InputError(
                f"No secret for project {project!r}: give VisitPublisher(..., secrets={{{project!r}: ...}})"
            )
        return project, secret


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
