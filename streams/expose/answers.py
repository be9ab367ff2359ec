"""What all answers of the API share: how they are written, what a refusal looks like, and that no unknown parameter is overlooked."""

from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import Field
from starlette.exceptions import HTTPException

from streams.clock import iso_utc
from streams.errors import InputError, VigieError
from streams.expose.alert_rows import STATES
from streams.expose.scope import OutOfSight
from streams.observe import ExpectedRow

JSON = "application/json"
TIME = {"format": "date-time"}
From = Annotated[
    str | None,
    Query(alias="from", description="First moment, ISO 8601; UTC without an offset.", json_schema_extra=TIME),
]
To = Annotated[str | None, Query(description="First moment that is left out, ISO 8601.", json_schema_extra=TIME)]
State = Annotated[
    str,
    Query(description="Those that run, that ended, or all that are kept.", json_schema_extra={"enum": list(STATES)}),
]
Region = Annotated[str | None, Query(description="Code of a region, of config/regions.yaml.")]
Academy = Annotated[str | None, Query(description="Code of an academy, of config/regions.yaml.")]
Service = Annotated[str | None, Query(description="Code of a service, of config/services.yaml.")]
Project = Annotated[str | None, Query(description="Id of an ENT, of config/projects.yaml.")]


@dataclass(frozen=True, slots=True)
class Problem:
    """Every answer that is not the one asked for: what is wrong and what to do."""

    error: str


REFUSED: dict[int | str, dict[str, Any]] = {
    422: {"model": Problem, "description": "A parameter is not allowed; the message says what is."},
    503: {"model": Problem, "description": "Redis does not answer as needed."},
}
#: Exception -> status; the nearest class decides.
_STATUSES = {InputError: 422, OutOfSight: 403, VigieError: 503}


def absent(what: str) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route that names one thing, which may not be there."""
    return REFUSED | {404: {"model": Problem, "description": what}}


def answer(value: object, status: int = 200) -> Response:
    """One JSON answer."""
    return Response(orjson.dumps(value), status_code=status, media_type=JSON)


async def _refuse_unknown(request: Request) -> None:
    # A parameter that is misspelt, or given twice, and ignored would answer another question than the one asked.
    allowed = [one.alias for one in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in allowed:
            raise InputError(f"{name[:60]!r} is no parameter here; allowed: {', '.join(allowed) or 'none'}")
        if len(request.query_params.getlist(name)) > 1:
            raise InputError(f"{name} is given twice: keep one")


#: What every route of the API is declared with.
API: dict[str, Any] = {"tags": ["api"], "dependencies": [Depends(_refuse_unknown)]}


def add_errors(app: FastAPI) -> None:
    """Answer errors as problems."""

    async def refused(_request: Request, error: Exception) -> Response:
        return answer(Problem(str(error)), next(_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES))

    async def http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = answer(Problem(f"{error.detail}; /openapi.json lists what exists"), error.status_code)
        response.headers.update(error.headers or {})
        return response

    app.add_exception_handler(VigieError, refused)
    app.add_exception_handler(HTTPException, http)


_VISITS = (
    "Visits by the ministry's rule (a gap of 30 minutes or more starts another), in the minute and under the codes of the event that "
    "starts them. By service: visits of that service, which added up over services are no number of visits."
)
_USERS = (
    "Distinct visitors of this minute, approximate (HyperLogLog, 0.81 % standard error); they never add up. Only by region, project, "
    "academy or none, and only for minutes younger than 20 settled minutes: absent otherwise. Null where they are fewer than the setting "
    "users_shown_min (5), but some."
)


@dataclass(frozen=True, slots=True)
class MinuteRow:
    """One minute and the codes of its grouping; the members that `by` does not name, and the measures that are not asked, are absent."""

    minute: str
    settled: bool
    region: str | None = None
    service: str | None = None
    project: str | None = None
    profile: str | None = None
    academy: str | None = None
    events: Annotated[int | None, Field(description="Accepted events, repeats of an id removed.")] = None
    visits: Annotated[int | None, Field(description=_VISITS)] = None
    users: Annotated[int | None, Field(description=_USERS)] = None


@dataclass(frozen=True, slots=True)
class MinutesAnswer:
    """Rows by minute, then codes; rows of zero are left out. `settled_to` is the time up to which they are settled."""

    by: str
    measure: Annotated[str | None, Field(description="The only measure of the rows; null: all that the grouping has.")]
    settled_to: str | None
    rows: list[MinuteRow]


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the process lives; `reason` says why a supervisor should start it again."""

    status: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the observer reads Redis and settles, and no part of it has a defect; `reason` says why not. `problems`: what keeps any of
    its parts from their work, such as an archive that cannot be written; the observer may be ready all the same.
    """

    ready: bool
    reason: str | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectedMinute:
    """What was expected of one judged row, which is `minutes` long; null where nothing is known to compare with."""

    minute: str
    minutes: int
    observed: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    learning: bool


@dataclass(frozen=True, slots=True)
class ExpectedAnswer:
    """Rows in order of time."""

    rows: list[ExpectedMinute]


def expected_minute(row: ExpectedRow) -> ExpectedMinute:
    """One judged row for a reader."""
    return ExpectedMinute(
        iso_utc(row.minute * 60_000), row.step_minutes, row.observed, row.expected, row.lower, row.upper, row.learning
    )
