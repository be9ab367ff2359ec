"""The access log of an ENT's front end: host and path say which project, establishment and service, the third field says who.

A line without a user is not authenticated. What is no page that was delivered is skipped: other methods than GET, answers other than 2xx
and 304, the parts of a page (`ignored` endings), and hosts and paths for which the table has no row.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from streams.publish.accesslog import Hit, find_plain, is_address, match_plain, ms_of_plain, place_of_plain, read_hit
from streams.publish.fields import (
    NOT_AUTHENTICATED,
    FoundOnce,
    Reading,
    Skip,
    Unreadable,
    Visit,
    breaks_percent,
    host_of,
    kind_of,
    means_nothing,
    path_of,
    text_of,
    user_of,
)

#: Pages, users, places and seconds that are looked at once; about 20 MB each of the first three.
PAGES_REMEMBERED_MAX = USERS_REMEMBERED_MAX = PLACES_REMEMBERED_MAX = 100_000
TIMES_REMEMBERED_MAX = 4096
#: Host of a line, and the client where a host stands in its place.
_Asked = tuple[bytes | None, bytes]


@dataclass(frozen=True, slots=True)
class PathRow:
    """One row of the table: what begins with `path` on `host` is this project, establishment and service; both as `fields` writes them."""

    host: str
    path: str
    project: str
    uai: str | None
    service: str


@dataclass(frozen=True, slots=True)
class CombinedTables:
    """The rows, and the endings of paths that are parts of a page and no use of a service."""

    places: tuple[PathRow, ...]
    ignored: tuple[str, ...]


class CombinedReader:
    """Reads the lines of one front end; `project` limits the table to the rows of that project."""

    def __init__(self, tables: CombinedTables, project: str | None = None) -> None:
        self._ignored = tables.ignored
        # The longest path first: the first row that fits is the one that fits best.
        rows = sorted(tables.places, key=lambda row: -len(row.path))
        self._rows = [row for row in rows if project is None or row.project == project]
        self._hosts = {row.host for row in rows}
        self._by_host: dict[str, list[PathRow]] = {}
        for row in self._rows:
            self._by_host.setdefault(row.host, []).append(row)
        # A few thousand users, places, pages and seconds make up a log: each is looked at once.
        self._users = FoundOnce(user_of, USERS_REMEMBERED_MAX)
        self._places = FoundOnce(self._asked, PLACES_REMEMBERED_MAX)
        self._pages = FoundOnce(self._page_of_plain, PAGES_REMEMBERED_MAX)
        self._times = FoundOnce(ms_of_plain, TIMES_REMEMBERED_MAX)

    def read(self, line: bytes) -> Reading:
        """Return what one line is."""
        plain = match_plain(line)
        found = None if plain is None else self._read_plain(*plain.groups())
        return self._read_with_care(line) if found is None else found

    def read_block(self, block: bytes) -> Iterator[tuple[bytes, Reading | None]]:
        """Return each line of a block of whole lines, and what it is; None where only `read` can tell."""
        read_plain = self._read_plain
        for line, place, name, time, request, status, odd in find_plain(block):
            yield (line, read_plain(place, name, time, request, status)) if line else (odd.removesuffix(b"\r"), None)

    def _read_plain(self, place: bytes, name: bytes, time: bytes, request: bytes, status: bytes) -> Reading | None:
        asked, ts_ms = self._places[place], self._times[time]
        if asked is None or ts_ms is None:
            return None
        user = self._users[name]
        if user is None:
            return NOT_AUTHENTICATED
        page = self._pages[asked, request, status]
        return page if type(page) is Skip else _visit(user, page, ts_ms)

    def _read_with_care(self, line: bytes) -> Reading:
        hit = read_hit(line)
        if isinstance(hit, Unreadable):
            return hit
        user = user_of(hit.user)
        return NOT_AUTHENTICATED if user is None else _visit(user, self._page(hit), hit.ts_ms)

    def _asked(self, place: bytes) -> _Asked | None:
        """Whom a plain line asks."""
        found = place_of_plain(place)
        if found is None:
            return None
        host, client = found
        return host, client if host is None and host_of(client) in self._hosts else b""

    def _page_of_plain(self, page: tuple[_Asked, bytes, bytes]) -> PathRow | Skip | Unreadable:
        (host, client), request, status = page
        method, _, path = request.partition(b" ")
        return self._page(Hit(0, host, client, b"", method.decode(), path, int(status)))

    def _page(self, hit: Hit) -> PathRow | Skip | Unreadable:
        """Which page was delivered."""
        if reason := _no_page(hit):
            return reason
        rows = self._rows_of(hit)
        if not isinstance(rows, list):
            return rows
        path = path_of(hit.target)
        if breaks_percent(hit.target.partition(b"?")[0]):
            return Unreadable("its path is not well percent-encoded")
        if path.lower().endswith(self._ignored):
            return Skip("part of a page")
        place = _place(rows, path)
        if b"%" in hit.target and _place(rows, path_of(path.encode())) != place:
            return Unreadable("its path is percent-encoded twice: which service it is depends on who decodes it")
        return place

    def _rows_of(self, hit: Hit) -> list[PathRow] | Skip | Unreadable:
        """The rows of the host of a line; all of them where it names none."""
        if hit.host is None:
            host = host_of(hit.client)  # `$host - $remote_user`: where others log who asks
            return self._rows if host not in self._hosts else self._by_host.get(host or "", Skip("host without a row"))
        host = host_of(hit.host)
        if host in self._by_host:
            return self._by_host[host]
        if host is None or is_address(host.encode()) or hit.host.endswith(b":") or means_nothing(host):
            return Unreadable(
                f"an address, a list or a name of something else where the host is expected: {text_of(hit.host)[:60]!r}"
            )
        return Skip("host without a row")


def _visit(user: str | Unreadable, page: PathRow | Skip | Unreadable, ts_ms: int) -> Reading:
    if not isinstance(page, PathRow):
        return page
    return user if isinstance(user, Unreadable) else Visit(page.project, ts_ms, user, page.service, page.uai)


def _no_page(hit: Hit) -> Skip | Unreadable | None:
    """Why a request is no delivered page, None where it is."""
    delivered = 200 <= hit.status < 300 or hit.status == 304
    if not hit.method and hit.target in (b"-", b""):
        return Skip("no request")
    if hit.method not in ("", "GET"):
        return kind_of("method", hit.method)
    if not delivered:
        return Skip(f"answer {hit.status // 100}xx")
    return (
        None
        if hit.target.startswith(b"/") and hit.method
        else Unreadable("its request is not as in GET /path HTTP/1.1")
    )


def _place(rows: list[PathRow], path: str) -> PathRow | Skip | Unreadable:
    fits = [row for row in rows if _begins(path, row.path)]
    if not fits:
        return Skip("path without a row")
    best = [row for row in fits if len(row.path) == len(fits[0].path)]
    if len({(row.project, row.uai, row.service) for row in best}) > 1:
        return Unreadable(
            f"names no host, and {len(best)} hosts of combined.yaml have this path: log the virtual host in front "
            "(Apache's vhost_combined), or give --project"
        )
    return best[0]


def _begins(path: str, prefix: str) -> bool:
    """Whole members only: `/blog` begins `/blog` and `/blog/1`, not `/blogs`."""
    return path.startswith(prefix) and (prefix == "/" or path[len(prefix) : len(prefix) + 1] in ("", "/"))
