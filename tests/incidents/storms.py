"""Alerts as a detector tells them on bad mornings: for tests of everything that shows incidents."""

from itertools import product
from typing import Any

from streams.catalog import Catalog
from streams.incidents import AlertRecord, Driver

MINUTE_MS = 60_000


def alert(scope: str = "national", kind: str = "surge", start: int = 1_000, **changes: Any) -> AlertRecord:
    """One that began at an epoch minute and runs; three times what was expected, or nothing of it."""
    ratio = {"surge": 3.0, "drop": 0.4}.get(kind, 0.0)
    given = {
        "region": None,
        "service": None,
        "project": None,
        "expected": 1000.0,
        "until": start + 10,
        "raised": start + 3,
        **changes,
    }
    expected = given["expected"]
    codes = "".join(f"{name}={given[name]}" for name in ("region", "service", "project") if given[name])
    figures = {"observed": ratio * expected, "lower": 0.8 * expected, "upper": 1.2 * expected}
    times = {
        "start_ms": start * MINUTE_MS,
        "raised_ms": given.pop("raised") * MINUTE_MS,
        "until_ms": given.pop("until") * MINUTE_MS,
    }
    more = {"id": f"{kind}:{codes or 'all'}:{start * MINUTE_MS}", "end_ms": None, "measure": "visits"}
    return AlertRecord(**{"scope": scope, "kind": kind, **more, **times, **figures, **given})


def storm(
    catalog: Catalog, start: int = 1_000, *, until: int | None = None, end: int | None = None
) -> tuple[AlertRecord, ...]:
    """317 alerts of one surge: France, 13 regions, 290 services of them, 13 ENT; their parts are told with it or a few minutes later."""
    regions = [region for region in catalog.regions if region.weight][:13]
    services = list(product(regions, catalog.services))[:290]
    projects = [one for one in catalog.projects if one.region in {region.code for region in regions}][:13]
    last = start + 12 if until is None else until
    run: dict[str, Any] = {"until": last, "end_ms": None if end is None else end * MINUTE_MS}
    drivers = tuple(Driver(one.code, None, None, 3000 * one.weight, 1000 * one.weight, 3.0) for one in regions[:5])
    now: dict[str, Any] = {"observed_now": 20_500.0, "expected_now": 5_000.0}
    found = [alert(start=start, expected=50_000.0, drivers=drivers, **now, **run)]
    found += [
        alert("region", start=start + n % 3, region=one.code, expected=50_000 * one.weight, **run)
        for n, one in enumerate(regions)
    ]
    found += [
        alert(
            "service",
            start=start + n % 5,
            raised=start + 6,
            region=region.code,
            service=service.code,
            expected=500.0,
            **run,
        )
        for n, (region, service) in enumerate(services)
    ]
    found += [
        alert("project", start=start + 2, raised=start + 5, project=one.code, expected=800.0, **run) for one in projects
    ]
    assert len(found) == 317
    assert len({one.id for one in found}) == 317
    return tuple(found)
