"""Tokens and the file that keeps their hashes; `vigie token` writes it.

A token is made here and never chosen by a person: 256 random bits. So a plain SHA-256 of it is enough, where a password would need a slow
hash: there is nothing to guess. Nobody can read a token out of the file; it is shown once, when it is made.
"""

import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.decoded_types import known
from streams.errors import InputError, SettingsError
from streams.lock_file import locked
from streams.whole_file import replace_whole

PREFIX = "vigie"
ID_BYTES = 5
SECRET_BYTES = 32
#: Only the owner may read or write the file.
MODE = 0o600
FILE_VERSION = 1


class AccessScope(StrEnum):
    """What a token lets its holder do. `admin` sees what `read` and `metrics` see, and values as they were sent."""

    SEND = "send"  # events of its projects, to a collector
    READ = "read"  # page, API, stream
    METRICS = "metrics"  # /metrics of every process
    ADMIN = "admin"


#: With an offset: without one it would be another moment on another machine.
_Moment = Annotated[datetime, Meta(tz=True)]


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the file says of one token. `projects` are those it speaks for; `regions` those that it sees, none: all; `expires` None: it does
    not. `events_per_second_max` takes the place of the collector's own limit.
    """

    id: str
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    created: _Moment
    scopes: tuple[AccessScope, ...] = (AccessScope.SEND,)
    projects: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    expires: _Moment | None = None
    name: str = ""
    events_per_second_max: Annotated[int, Meta(ge=1)] | None = None


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    """The file."""

    version: int
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made: `text` is what its holder sends, and is kept nowhere."""

    text: str
    token: Token


def digest(text: str) -> str:
    """What the file keeps of a token's text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def token_id(text: str) -> str | None:
    """The id within a token's text, None where it is no token of Vigie."""
    parts = text.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] == PREFIX else None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a new token is to be for, and for how many days (None: without an end)."""

    scopes: tuple[AccessScope, ...] = (AccessScope.SEND,)
    projects: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    name: str = ""
    days: int | None = None
    events_per_second_max: int | None = None


def make_token(grant: Grant, now: datetime) -> NewToken:
    """Make a token for this."""
    own_id = secrets.token_hex(ID_BYTES)
    text = f"{PREFIX}_{own_id}_{secrets.token_urlsafe(SECRET_BYTES)}"
    created = now.replace(microsecond=0)
    return NewToken(
        text,
        Token(
            id=own_id,
            sha256=digest(text),
            created=created,
            scopes=grant.scopes,
            projects=grant.projects,
            regions=grant.regions,
            expires=None if grant.days is None else created + timedelta(days=grant.days),
            name=grant.name,
            events_per_second_max=grant.events_per_second_max,
        ),
    )


class TokenFile:
    """The file of tokens, read and changed as a whole: a reader finds the old one or the new one, never half of one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[Token, ...]:
        """Return every token, in the order in which they were made.

        Raises:
            SettingsError: the file is not there, not readable, readable by others, or damaged.
        """
        try:
            with self.path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                found = file.read()
        except OSError as error:
            raise SettingsError(
                f"tokens_file {self.path}: {error.strerror}: make the first token with `vigie token new`, or correct the setting"
            ) from None
        if mode & 0o037:  # a secret of Kubernetes is its group's, too
            raise SettingsError(f"tokens_file {self.path} is open to others (mode {mode & 0o777:o}): chmod 600 it")
        try:
            kept = msgspec.json.decode(found, type=known(_Kept))
        except (msgspec.MsgspecError, ValueError) as error:
            raise SettingsError(f"tokens_file {self.path} is damaged ({error}): put a copy of it back") from None
        if kept.version != FILE_VERSION:
            raise SettingsError(
                f"tokens_file {self.path} is of version {kept.version}: this Vigie reads {FILE_VERSION}"
            )
        return kept.tokens

    def change(self, changed: Callable[[tuple[Token, ...]], tuple[Token, ...]]) -> None:
        """Write what `changed` makes of the tokens; two commands at once wait for each other.

        Raises:
            SettingsError: as `read`, but a file that is not there yet is an empty one.
            InputError: the file cannot be written.
        """
        path = Path(os.path.realpath(self.path))  # a link stays one
        try:
            with locked(path.parent):
                tokens = changed(self.read() if path.exists() else ())
                replace_whole(path, lambda fresh: _write(fresh, tokens))
        except OSError as error:
            raise InputError(f"tokens_file {path} cannot be written: {error.strerror or error}") from None

    def add(self, token: Token) -> None:
        """Add one; raises as `change`."""
        self.change(lambda tokens: (*tokens, token))

    def revoke(self, which: str) -> Token:
        """Remove the token of this id, and return it.

        Raises:
            InputError: there is none; or as `change`.
        """
        gone: list[Token] = []

        def without(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
            gone.extend(token for token in tokens if token.id == which)
            if not gone:
                raise InputError(f"No token has the id {which!r}: `vigie token list` shows them")
            return tuple(token for token in tokens if token.id != which)

        self.change(without)
        return gone[0]


def has_expired(token: Token, now: datetime) -> bool:
    """Whether its time is over."""
    return token.expires is not None and token.expires <= now


def _write(path: Path, tokens: tuple[Token, ...]) -> None:
    path.touch(MODE, exist_ok=False)  # nobody else's from its first byte
    path.write_bytes(msgspec.json.format(msgspec.json.encode(_Kept(FILE_VERSION, tokens)), indent=2) + b"\n")
