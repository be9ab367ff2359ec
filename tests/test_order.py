"""The order in which `make test` begins its modules."""

from pathlib import Path

from tests.order import SECONDS, dealt, seconds_of

TESTS = Path(__file__).parent


def test_each_process_begins_with_its_longest_modules_and_all_have_as_much_to_do() -> None:
    modules = (
        {f"servers/test_{n}.py": 3 for n in range(8)}
        | {f"count/test_{n}.py": 50 for n in range(10)}
        | dict.fromkeys(SECONDS, 2)
    )
    order = dealt(modules, 2)
    assert sorted(order) == sorted(modules)
    numbers = [modules[module] for module in order]
    (cut,) = [n for n in range(len(order)) if sum(numbers[:n]) == sum(numbers) / 2]
    parts = order[:cut], order[cut:]
    for part in parts:
        assert [seconds_of(module) for module in part] == sorted(map(seconds_of, part), reverse=True)
    one, other = (sum(map(seconds_of, part)) for part in parts)
    assert abs(one - other) < 20


def test_the_listed_modules_exist() -> None:
    assert [module for module in SECONDS if not (TESTS / module).is_file()] == []
