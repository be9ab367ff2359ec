"""Shared by all tests: Hypothesis without a clock (CI machines are slow), and the lists of the repository's `config/`."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from streams.catalog import Catalog, load_catalog
from streams.settings import default_config_dir

settings.register_profile("vigie", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vigie")


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The lists of `config/`."""
    return load_catalog(default_config_dir())
