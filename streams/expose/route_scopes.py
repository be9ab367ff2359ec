"""Which scope each route of an observer asks for. `tests/servers/test_gate.py` walks all routes with each kind of credential."""

from __future__ import annotations

from streams.access import AccessScope, RouteScopes

#: Bare: without a credential `/readyz` says whether, not why.
OBSERVER_ROUTES = RouteScopes(
    exact={
        "/healthz": None,
        "/readyz": None,
        "/metrics": AccessScope.METRICS,
        "/": AccessScope.READ,
        "/accessibilite": None,  # for everybody, by law; no figure is in it
        "/openapi.json": AccessScope.READ,
        "/prevision": AccessScope.READ,
        "/api/v1/forecast": AccessScope.READ,
        "/page/stream": AccessScope.READ,
        "/api/v1/minutes": AccessScope.READ,
        "/api/v1/alerts": AccessScope.READ,
        "/api/v1/incidents": AccessScope.READ,
        "/api/v1/expected": AccessScope.READ,
        "/api/v1/status": AccessScope.READ,
        # Readers see the shape of a value, administrators the value.
        "/api/v1/unseen": AccessScope.READ,
    },
    below={
        "/api/v1/alerts/": AccessScope.READ,
        "/api/v1/incidents/": AccessScope.READ,
        "/runbooks/": AccessScope.READ,
        # The style of the login form; no figure is in them.
        "/static": None,
    },
)
