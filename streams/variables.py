"""Environment variables: those that are settings, those that are misspelt, and those that only look like settings.

Kubernetes sets some for each Service beside a pod: one named `vigie-worker` gives `VIGIE_WORKER_PORT=tcp://10.0.0.7:8001`. Manifests should
say `enableServiceLinks: false`; where they do not, nobody has to find out why.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping

from pydantic_settings import EnvSettingsSource

_HOST = re.compile(r"(VIGIE(?:_[A-Z0-9_]+)?)_SERVICE_HOST")
#: What else a Service named so gives; the plain port only where it is an URL, since it may be somebody's setting.
_OTHERS = re.compile(r"_SERVICE_HOST|_SERVICE_PORT(_[A-Z0-9_]+)?|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?")
_URL = re.compile(r"(tcp|udp|sctp)://")


def service_links(environment: Mapping[str, str]) -> frozenset[str]:
    """The names of variables of `environment` that Services have set: those of a family that has both a host and a port."""
    found = set()
    for name in environment:
        told = _HOST.fullmatch(name)
        if told is None or f"{told[1]}_SERVICE_PORT" not in environment:
            continue
        found |= {
            other for other in environment if other.startswith(told[1]) and _OTHERS.fullmatch(other[len(told[1]) :])
        }
        if _URL.match(environment.get(f"{told[1]}_PORT", "")):
            found.add(f"{told[1]}_PORT")
    return frozenset(found)


class OwnVariables(EnvSettingsSource):
    """The variables that somebody set; those of Kubernetes' Services are none."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        links = service_links(os.environ)
        return {name: value for name, value in super()._load_env_vars().items() if name.upper() not in links}


def unknown_variables(known: Collection[str]) -> list[str]:
    """Say of each variable that begins as ours and is not one of `known` what is wrong with it."""
    links = service_links(os.environ)
    ours = [name for name in sorted(os.environ) if name.upper().startswith("VIGIE_") and name not in links]
    return [
        f"{name}: write {name.upper()}"
        if name != name.upper()
        else f"{name}: no such setting (a typing error would be ignored silently otherwise)"
        for name in ours
        if name != name.upper() or (name not in known and not name.startswith("VIGIE_SECRET"))
    ]
