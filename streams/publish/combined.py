"""The access log of an ENT's front end: host and path say which project, establishment and service, the third field says who.

A line without a user is not authenticated. What is no page that was delivered is skipped: other methods than GET, answers other than 2xx
and 304, the parts of a page (`ignored` endings), and paths for which the table has no row.
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.publish.accesslog import read_hit, text_of
from streams.publish.emitted import NOT_AUTHENTICATED, Reading, Skip, Unreadable, Visit, kind_of


@dataclass(frozen=True, slots=True)
class Place:
    """One row of the table: what begins with `path` on `host` is this project, establishment and service."""

    host: str
    path: str
    project: str
    uai: str | None
    service: str


@dataclass(frozen=True, slots=True)
class CombinedTables:
    """The rows, and the endings of paths that are parts of a page and no use of a service."""

    places: tuple[Place, ...]
    ignored: tuple[str, ...]


class CombinedReader:
    """Reads the lines of one front end; `project` limits the table to the rows of that project."""

    def __init__(self, tables: CombinedTables, project: str | None = None) -> None:
        self._ignored = tables.ignored
        # The longest path first: the first row that fits is the one that fits best.
        rows = sorted(tables.places, key=lambda row: -len(row.path))
        self._rows = [row for row in rows if project is None or row.project == project]
        self._by_host: dict[str, list[Place]] = {}
        for row in self._rows:
            self._by_host.setdefault(row.host, []).append(row)

    def read(self, line: bytes) -> Reading:
        """Return what one line is."""
        hit = read_hit(text_of(line))
        if isinstance(hit, Unreadable):
            return hit
        if hit.user is None:
            return NOT_AUTHENTICATED
        if not hit.method:
            return Skip("no request")
        if hit.method != "GET":
            return kind_of("method", hit.method)
        if not (200 <= hit.status < 300 or hit.status == 304):
            return Skip(f"answer {hit.status // 100}xx")
        path = hit.target.partition("?")[0].partition("#")[0]
        if path.lower().endswith(self._ignored):
            return Skip("part of a page")
        if hit.host is not None and hit.host not in self._by_host:
            return Skip("host without a row")
        place = self._place(hit.host, path)
        if isinstance(place, Place):
            return Visit(place.project, hit.ts_ms, hit.user, place.service, place.uai)
        return place

    def _place(self, host: str | None, path: str) -> Place | Skip | Unreadable:
        fits = [row for row in (self._rows if host is None else self._by_host[host]) if _begins(path, row.path)]
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
    return path.startswith(prefix) and (prefix.endswith("/") or path[len(prefix) : len(prefix) + 1] in ("", "/"))
