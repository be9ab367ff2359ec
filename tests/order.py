"""Long tests first: of processes that steal one another's rest, none should be left alone with a minute of waiting at the end.

A pytest plugin (`-p order`, with `-n`). xdist's worksteal begins with equal numbers of tests for each process, in the order in which they
were collected; a module stays whole where it can, since its tests share what they started.
"""

import os
from collections import defaultdict

import pytest

#: Seconds of the modules that take long, on two cores; what is not listed takes its suite's `SECONDS_A_MODULE`.
SECONDS = {
    "servers/test_hard_cases.py": 85,
    "servers/test_page.py": 40,
    "servers/test_stack.py": 70,
    "servers/test_runbooks.py": 65,
    "servers/test_outages.py": 55,
    "servers/test_ingest.py": 50,
    "servers/test_observer.py": 50,
    "servers/test_http.py": 50,
    "servers/test_collector.py": 50,
    "servers/test_board_queries.py": 45,
    "servers/test_publish.py": 40,
    "servers/test_check.py": 35,
    "servers/test_poison.py": 35,
    "servers/test_failover.py": 35,
    "servers/test_page_layout.py": 35,
    "servers/test_storm.py": 30,
    "servers/test_simulate.py": 30,
    "servers/test_sentinel.py": 30,
    "servers/test_other_languages.py": 30,
    "servers/test_gate.py": 25,
    "servers/test_emitters.py": 25,
    "simulate/test_past.py": 25,
    "rules/test_rules.py": 25,
    "history/test_like_with_like.py": 20,
}
SECONDS_A_MODULE = {
    "servers": 15,
    "simulate": 8,
    "watch": 6,
    "observe": 4,
    "history": 3,
    "simulation": 3,
    "rehearse": 3,
}


def seconds_of(module: str) -> float:
    """What a module takes, about; `module` is its path below tests/."""
    return SECONDS.get(module, SECONDS_A_MODULE.get(module.partition("/")[0], 1))


def dealt(modules: dict[str, int], processes: int) -> list[str]:
    """Put modules in an order whose `processes` equal parts, by number of tests, take as long as one another; each begins with its longest.

    Args:
        modules: How many tests each has.
    """
    hands: list[list[str]] = [[] for _ in range(processes)]
    room = [sum(modules.values()) / processes] * processes
    seconds = [0.0] * processes
    for module in sorted(modules, key=lambda module: (-seconds_of(module), module)):
        fits = [n for n in range(processes) if room[n] >= modules[module]] or [room.index(max(room))]
        hand = min(fits, key=lambda n: seconds[n])
        hands[hand].append(module)
        room[hand] -= modules[module]
        seconds[hand] += seconds_of(module)
    return [module for hand in hands for module in hand]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests in that order."""
    by_module: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        by_module[str(item.path.relative_to(config.rootpath / "tests"))].append(item)
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    order = dealt({module: len(found) for module, found in by_module.items()}, processes)
    items[:] = [item for module in order for item in by_module[module]]
