"""What a line of an emitter's log says: a visit, something that does not count, or nothing readable. Pure.

A reader of `streams.publish` turns a line into one of these three and never raises, whatever the line holds. This is the one place where
escapes, percent-encoding and encodings of its fields are undone.

Two ways of writing one person are one person, two ways of writing one path are one service. What cannot be told is said, never guessed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar, final
from unicodedata import normalize
from urllib.parse import unquote_to_bytes

import msgspec

#: What the tables do not know is sent as it was found, cut to this: it counts under `INCONNU` and is listed for operators.
CODE_CHARACTERS_MAX = 64
#: Kinds of skipped lines that are told apart; a log may hold any text where a kind stands.
KIND_CHARACTERS_MAX = 32
#: `ts` of a readable line: 1970 to 2286, in epoch ms. Whether it is too old is checked by the chain, not here.
TS_MS_MAX = 10_000_000_000_000
#: 2000-01-01: no log is older, and a time before it is one in seconds, which would count in 1970.
TS_MS_MIN = 946_684_800_000


@final
class Visit(msgspec.Struct, frozen=True, gc=False):
    """One authenticated use of a service, before its user has become a pseudonym. `project` chooses the secret."""

    project: str
    ts_ms: int
    user_id: str
    service: str | None
    uai: str | None = None
    profile: str | None = None
    type: str | None = None
    tool: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Skip:
    """A line that is no authenticated use of a service; `kind` says what it is, in a few words that many lines share."""

    kind: str


@final
@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is not what the format says; `why` tells what to mend."""

    why: str


Reading = Visit | Skip | Unreadable

NOT_AUTHENTICATED = Skip("not authenticated")


def code_of(text: str) -> str | None:
    """Return a code as it may be sent: printable, at most `CODE_CHARACTERS_MAX` characters; None where nothing is left."""
    cut = "".join(character for character in text[: 2 * CODE_CHARACTERS_MAX] if character.isprintable())
    return cut.strip()[:CODE_CHARACTERS_MAX] or None


def kind_of(what: str, value: object) -> Skip:
    """Return a skip whose kind quotes the line, cut and printable."""
    text = value if isinstance(value, str) else type(value).__name__
    shown = "".join(character for character in text[:KIND_CHARACTERS_MAX] if character.isprintable())
    return Skip(f"{what} {shown or '(empty)'}")


#: Escapes of log writers: `\xC3` (nginx), `\xc3` (Apache), `\"` and `\\` (both), `\u00e9` (JSON). Apache's `\b`, `\n`, `\r`, `\t` and `\v`
#: stand for characters that no name holds: they are taken for a user of a Windows domain who is logged unescaped, `DOMAIN\bob`.
_ESCAPE = re.compile(rb'\\(?:x([0-9A-Fa-f]{2})|u00([A-Fa-f][0-9A-Fa-f])|(["\\]))')
#: What JavaScript's `escape` writes beyond Latin-1, but for halves of surrogate pairs.
_UTF_16 = re.compile(r"%u(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})")
_BROKEN_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[\w.-]+)(?::[0-9]*)?")
#: What programs write where they know nothing; compared without regard to case.
_NOTHING = frozenset(
    (
        *(
            "",
            "-",
            '""',
            "''",
            "undefined",
            "null",
            "(null)",
            "<null>",
            "\\n",
            "nil",
            "none",
            "(none)",
            "nan",
            "n/a",
            "false",
            "unknown",
        ),
        *("anonymous", "anonymoususer", "anonyme", "inconnu"),
    )
)
#: And where they know nobody: the number that portals and their databases give to who is not logged in, and the names of it.
_NOBODY = _NOTHING | {
    *("0", "-1", "nobody", "anon", "guest", "guestuser", "invité", "invite", "visitor", "visiteur"),
    *("n.a.", "(not set)", "not_set", "not_logged_in", "unauthenticated", "%u"),
}
#: What a program writes that should have put a value in its place: all its users would be one person.
_PLACEHOLDER = re.compile(
    r"\$\{?\w+\}?|%\{[^}]*\}\w*|\{\{.*\}\}|\[object \w+\]|<[^>]*>|\{\}|\[\]"
    r"|\(unknown\)|null null|undefined undefined|[\W_]+"
)
#: A user that is still encoded after so many rounds is not decoded further.
ROUNDS_MAX = 4


def text_of(raw: bytes) -> str:
    """Decode UTF-8, else what Windows and ISO 8859-1 write: two different users never become one by a replacement character."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def unescaped(raw: bytes) -> bytes:
    """Undo the escapes of Apache and nginx, once."""
    return _ESCAPE.sub(_byte, raw) if b"\\" in raw else raw


def _byte(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return bytes.fromhex(found[1].decode())
    return chr(int(found[2], 16)).encode() if found[2] else found[3]


def percent_decoded(raw: bytes) -> str:
    """Undo percent-encoding, once; what is no such encoding stays as it is."""
    text = text_of(unquote_to_bytes(raw)) if b"%" in raw else text_of(raw)
    return _UTF_16.sub(lambda found: chr(int(found[1], 16)), text) if "%u" in text else text


def breaks_percent(raw: bytes) -> bool:
    """Whether a `%` begins no percent-encoding."""
    return _BROKEN_PERCENT.search(raw) is not None


def means_nothing(text: str) -> bool:
    """Whether this is what programs write where they have no value: blank, `-`, `undefined`, `null`, ..."""
    return text.strip().casefold() in _NOTHING


def means_nobody(text: str) -> bool:
    """Whether this is what programs write as the user where nobody is logged in: also dashes, dots and underscores alone."""
    return text.strip().casefold() in _NOBODY or not text.strip(" -–—._")


def user_of(raw: bytes) -> str | Unreadable | None:
    """Return the user's id as it becomes a pseudonym, None where it says that nobody is logged in.

    Decoded until nothing is encoded, without blanks around it, composed (NFC): as an ENT that publishes itself has it.
    """
    text = percent_decoded(raw)
    for _ in range(ROUNDS_MAX):
        if "%" not in text or (after := percent_decoded(text.encode())) == text:
            break
        text = after
    else:
        return Unreadable("its user is percent-encoded over and over")
    text = normalize("NFC", text.strip())
    if means_nobody(text):
        return None
    if _PLACEHOLDER.fullmatch(text):
        return Unreadable(f"its user is {text[:40]!r}, which stands for one and is none")
    if not text.isprintable():
        return Unreadable("its user holds characters that cannot be printed")
    return text


def path_of(target: bytes) -> str:
    """Return the path of a request's target: decoded once, composed, without query, path parameters, empty and dot members, final slash."""
    raw = target.partition(b"?")[0].partition(b"#")[0]
    members: list[str] = []
    for member in normalize("NFC", percent_decoded(raw)).split("/"):
        name = member.partition(";")[0]
        if name == "..":
            del members[-1:]
        elif name not in ("", "."):
            members.append(name)
    return "/" + "/".join(members)


@lru_cache(1024)
def host_of(raw: bytes) -> str | None:
    """Return a host in small letters, as DNS has it, without its port; None where it is none: a list of addresses, for instance."""
    found = _HOST.fullmatch(text_of(raw).lower().removesuffix("."))
    try:
        return found[1].removesuffix(".").encode("idna").decode() if found else None
    except UnicodeError:
        return None


Key = TypeVar("Key")
Value = TypeVar("Value")


class FoundOnce(dict[Key, Value]):
    """key -> what `find` says of it; found anew for all once there are `most`. A dictionary: it answers at half the cost of `lru_cache`."""

    def __init__(self, find: Callable[[Key], Value], most: int) -> None:
        super().__init__()
        self._find = find
        self._most = most

    def __missing__(self, key: Key) -> Value:
        if len(self) >= self._most:
            self.clear()
        value = self[key] = self._find(key)
        return value
