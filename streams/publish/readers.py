"""From a line of a file to a record for Kafka, for every format of `vigie publish`: sent, skipped or unreadable, never an exception.

Formats other than `native` have no id and a user instead of a pseudonym. Their id is a hash of format, project, line, time, and how many
equal lines came before it in the file. So the same file gives the same ids, and two equal lines have two. (The time is in the line. Hits
that get it from `--at` are other events at another time.)
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import final

import msgspec
import orjson

from streams.errors import SettingsError
from streams.events import VERSION, EventBounds, Reason, check, decode
from streams.publish.event import pseudonym
from streams.publish.fields import FoundOnce, Reading, Skip, Unreadable, Visit
from streams.publish.lines import LINE_BYTES_MAX, TOO_LONG, NotAnObject, bare, key_of, lines_of
from streams.values import check_setting

#: Distinct lines whose occurrences are counted at a time: about 120 MB. Then counting begins anew, under another number.
LINES_REMEMBERED_MAX = 1_000_000
#: Uses (a person, a page) whose part of an event is kept ready: about 80 MB.
USES_REMEMBERED_MAX = 100_000
_BEFORE_ID, _BEFORE_TS = b'{"v":%d,"id":"' % VERSION, b'","ts":'
#: Project, user, establishment, service, profile, type and tool of a visit.
_Use = tuple[str, str, str | None, str | None, str | None, str | None, str | None]
ReadLine = Callable[[bytes], Reading]
ReadBlock = Callable[[bytes], Iterable[tuple[bytes, Reading | None]]]


class Format(StrEnum):
    """What `vigie publish --format` reads."""

    NATIVE = "native"
    ENTCORE = "entcore"
    XITI = "xiti"
    COMBINED = "combined"


@final
class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A record as it is sent."""

    value: bytes
    key: bytes | None

    def same_use(self, other: "Outgoing") -> bool:
        """Whether both tell of the same use by the same person, whatever their ids."""
        ours, theirs = ({**orjson.loads(each.value), "id": None} for each in (self, other))
        return self.key == other.key and bool(ours == theirs)


class NativeLines:
    """Events of the contract: every JSON object is sent as it is, under its `visitor`."""

    #: None is needed: the visitors of these events are pseudonyms already.
    secrets: Mapping[str, bytes] = {}

    def read(self, line: bytes) -> Outgoing | Unreadable:
        """Return the line and its key."""
        line = bare(line)
        try:
            key = key_of(line)
        except NotAnObject as why:
            return Unreadable(str(why))
        if key is not None and len(line) + len(key) > LINE_BYTES_MAX:
            return Unreadable(TOO_LONG)
        return Outgoing(line, key)

    def read_block(self, block: bytes) -> list[bytes]:
        """Return the lines of a block: none can be told at once."""
        return lines_of(block)

    def pass_by(self, line: bytes) -> None:
        """Events carry their ids: nothing to remember."""


class Occurrences:
    """Which occurrence of a line this is among those that are events, in bounded memory.

    The text it gives is unique within the file, and a function of the lines before: `"1"`, `"2"`, ... for equal lines among a million
    distinct ones, then `"1.1"`, ... for those among the next million, and so on.
    """

    def __init__(self, lines_max: int = LINES_REMEMBERED_MAX) -> None:
        self._lines_max = lines_max
        self._round = 0
        self._seen: dict[bytes, int] = {}

    def of(self, digest: bytes) -> str:
        """Count one line, by its digest."""
        number = self._seen.get(digest, 0) + 1
        if number == 1 and len(self._seen) >= self._lines_max:
            self._seen.clear()
            self._round += 1
        self._seen[digest] = number
        return f"{self._round}.{number}" if self._round else str(number)


class EmittedLines:
    """Lines of another emitter's format, read by `read_line`.

    Args:
        read_block: quicker, for many lines; what it does not tell of a line, `read_line` does.
        secret_of: project -> secret of its pseudonyms; may raise `SettingsError` for one that has none, which ends the run.
    """

    def __init__(
        self,
        format_name: Format,
        read_line: ReadLine,
        secret_of: Callable[[str], bytes],
        read_block: ReadBlock | None = None,
    ) -> None:
        self._format = format_name.value.encode()
        self._read_line = read_line
        self._read_block = read_block
        self._secret_of = secret_of
        #: The secrets that were used so far: project -> secret.
        self.secrets: dict[str, bytes] = {}
        self._occurrences = Occurrences()
        self._told = FoundOnce(self._tell, USES_REMEMBERED_MAX)

    def read(self, line: bytes) -> Outgoing | Skip | Unreadable:
        """Return the event of the line, or why there is none."""
        found = self._read_line(bare(line))
        return self._event(line, found) if type(found) is Visit else found

    def read_block(self, block: bytes) -> Iterator[Outgoing | Skip | Unreadable | bytes]:
        """Return what `read` says of each line of a block of whole lines, or the line where that takes a closer look."""
        if self._read_block is None:
            yield from lines_of(block)
            return
        for line, found in self._read_block(block):
            if type(found) is Visit:
                yield self._event(line, found)
            else:
                yield line if found is None else found

    def _event(self, line: bytes, found: Visit) -> Outgoing:
        use = (found.project, found.user_id, found.uai, found.service, found.profile, found.type, found.tool)
        key, rest = self._told[use]
        ts = b"%d" % found.ts_ms
        event_id = self._next_id(found.project, line, ts).hex().encode()
        return Outgoing(b"".join((_BEFORE_ID, event_id, _BEFORE_TS, ts, b",", rest)), key)

    def _next_id(self, project: str, line: bytes, ts: bytes) -> bytes:
        """The id of a line's event. That of a first occurrence tells the line apart from all others."""
        parts = (self._format, project.encode(), line, ts)
        first = _digest(*parts, b"1")
        which = self._occurrences.of(first)
        return first if which == "1" else _digest(*parts, which.encode())

    def _tell(self, use: _Use) -> tuple[bytes, bytes]:
        """The key of an event, and its JSON from its project on: the same for every use of one page by one person."""
        project, user_id, uai, service, profile, kind, tool = use
        secret = self.secrets.get(project)
        if secret is None:
            secret = self.secrets[project] = self._secret_of(project)
        visitor = pseudonym(secret, user_id)
        members = {
            "project": project,
            "uai": uai,
            "service": service,
            "profile": profile,
            "visitor": visitor,
            "type": kind,
            "tool": tool,
        }
        rest = orjson.dumps({name: member for name, member in members.items() if member is not None})
        return visitor.encode(), rest[1:]

    def pass_by(self, line: bytes) -> None:
        """Count the line among its equals, if it is an event."""
        found = self._read_line(bare(line))
        if isinstance(found, Visit):
            self._next_id(found.project, line, b"%d" % found.ts_ms)


def _digest(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"\0".join(parts), digest_size=16).digest()


#: Turns lines into records; every line of a file is given to it once, in order, either to `read` or to `pass_by`.
LineReader = NativeLines | EmittedLines


def breaks_contract(outgoing: Outgoing, bounds: EventBounds) -> Reason | None:
    """Return why the chain will reject this record whatever its age, None where it will not."""
    found = decode(outgoing.value)
    return found if isinstance(found, Reason) else check(found, found.ts, bounds)


def secrets_from(environment: Mapping[str, str], secret_bytes_min: int) -> Callable[[str], bytes]:
    """Return how to find a project's secret: `VIGIE_SECRET_<PROJECT>`, text taken as UTF-8, or `hex:` and hexadecimal digits.

    The function raises `SettingsError` where it is absent, too short, or not hexadecimal.
    """

    def secret_of(project: str) -> bytes:
        name = secret_name(project)
        text = environment.get(name, "")
        if not text:
            raise SettingsError(
                f"{name} is not set: the secret with which users of project {project} become pseudonyms (`openssl rand -hex 32`, kept by "
                "the ENT, the same for ever); or look at what would be sent with --dry-run"
            )
        try:
            check_setting(text, secret=True)
        except ValueError as error:
            raise SettingsError(f"{name} {error}") from None
        if text.startswith("HEX:"):
            raise SettingsError(f"{name} begins with HEX:; write hex: in small letters before hexadecimal digits")
        try:
            secret = bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()
        except ValueError:
            raise SettingsError(f"{name} begins with hex: but is no hexadecimal text") from None
        if len(secret) < secret_bytes_min:
            raise SettingsError(
                f"{name} is shorter than {secret_bytes_min} bytes: make one with `openssl rand -hex 32`"
            )
        return secret

    return secret_of


def secret_name(project: str) -> str:
    """The environment variable of a project's secret: `ent-ara` -> `VIGIE_SECRET_ENT_ARA`."""
    return "VIGIE_SECRET_" + project.upper().replace("-", "_")
