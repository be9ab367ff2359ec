"""Shared by all tests: Hypothesis without a clock (CI machines are slow), and the lists of the repository's `config/`."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from streams.catalog import Catalog, load_catalog
from streams.local import ports
from streams.settings import default_config_dir

settings.register_profile("vigie", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vigie")

# Started in the background by a shell, we would ignore Ctrl-C, and so would the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests run in `make prove`."""
    if os.environ.get("PROVE_LONG"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="long: `make prove` runs it (PROVE_LONG=1)"))


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The lists of `config/`."""
    return load_catalog(default_config_dir())


@pytest.fixture(scope="session", autouse=True)
def _own_ports() -> Iterator[None]:
    """Tests that run beside one another take ports of different ranges: one that is chosen is not listened on at once."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    width = (ports._FREE_END - ports._FREE_FIRST) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first = ports._FREE_FIRST + number * width
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ports, "_FREE_FIRST", first)
        patch.setattr(ports, "_FREE_END", first + width)
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Neither the environment nor a running local stack of the person who runs the tests reaches them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("VIGIE_")]:
            patch.delenv(name)
        patch.setenv("VIGIE_STACK_FILE", str(tmp_path_factory.mktemp("stack") / "none.json"))
        # A Kafka that lives for seconds: half of its start is compiling what it never runs again.
        patch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        yield
