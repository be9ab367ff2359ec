"""Which scope each route of an observer asks for. `tests/servers/test_gate.py` walks all routes with each kind of credential."""

from __future__ import annotations

from streams.access import RouteScopes, Scope

#: Bare: without a credential `/readyz` says whether, not why.
OBSERVER_ROUTES = RouteScopes(
    exact={
        "/healthz": None,
        "/readyz": None,
        "/metrics": Scope.METRICS,
        "/": Scope.READ,
        "/openapi.json": Scope.READ,
        "/page/stream": Scope.READ,
        "/api/v1/minutes": Scope.READ,
        "/api/v1/alerts": Scope.READ,
        "/api/v1/incidents": Scope.READ,
        "/api/v1/expected": Scope.READ,
        "/api/v1/status": Scope.READ,
        # Readers see the shape of a value, administrators the value.
        "/api/v1/unseen": Scope.READ,
    },
    below={
        "/api/v1/alerts/": Scope.READ,
        "/api/v1/incidents/": Scope.READ,
        "/runbooks/": Scope.READ,
        # The style of the login form; no figure is in them.
        "/static": None,
    },
)
