"""Writes the tables of docs/ that follow from code: settings, metrics, reasons. `--check` only says whether they are current.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; what is between is replaced.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from streams.events import Reason
from streams.metric_kinds import Metric
from streams.metrics import METRICS
from streams.settings import Settings
from streams.sizing import CONSTANTS, EXAMPLES, Demand, Size, size_of

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tests.mutation.guards import GUARDS  # noqa: E402

_UNITS = {
    "_seconds": "seconds",
    "_hours": "hours",
    "_per_minute": "a minute",
    "_port": "port",
    "_host": "address",
    "_url": "URL",
}
_BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(name: str, field: Any) -> str:
    if name == "config_dir":
        return "`config/` of the checkout or package"
    return "none" if field.default is None else f"`{field.default}`"


def _unit(name: str, annotation: Any) -> str:
    if choices := [choice for choice in get_args(annotation) if isinstance(choice, str)]:
        return ", ".join(choices)
    return next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")


def settings() -> str:
    """One row a setting, in the order of the class."""
    rows = [_row("setting", "default", "unit or values", "what it is"), _row("---", "---", "---", "---")]
    for name, field in Settings.model_fields.items():
        rows.append(_row(f"`{name}`", _default(name, field), _unit(name, field.annotation), field.description or ""))
    return "".join(rows)


def metrics() -> str:
    """One row a metric, in the order of the list."""
    rows = [_row("metric", "type", "labels", "of", "what it says"), _row("---", "---", "---", "---", "---")]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(
            _row(f"`{metric.name}`", metric.kind.value, labels, metric.owner.value, metric.help + _only_with(metric))
        )
    return "".join(rows)


def _only_with(metric: Metric) -> str:
    return " Only with `metrics_all`." if metric.is_extra else ""


def reasons() -> str:
    """One row a reason, with the comment beside it in the code."""
    source = (ROOT / "streams" / "events.py").read_text()
    rows = [_row("reason", "what is wrong"), _row("---", "---")]
    for reason in Reason:
        found = re.search(rf'{reason.name} = "{reason.value}"  # (.*)', source)
        rows.append(_row(f"`{reason.value}`", found[1] if found else ""))
    return "".join(rows)


def guards() -> str:
    """One row a guard that `make mutation` breaks."""
    rows = [_row("guard", "in", "held by"), _row("---", "---", "---")]
    for guard in GUARDS:
        rows.append(_row(guard.name, f"`{guard.path}`", ", ".join(f"`{test}`" for test in guard.tests)))
    return "".join(rows)


def constants() -> str:
    """What the sizing formula stands on."""
    rows = [_row("constant", "value", "measured by"), _row("---", "---", "---")]
    rows += [_row(one.name, f"{one.value:,g} {one.unit}", f"`{one.command}`") for one in CONSTANTS]
    return "".join(rows)


def sizes() -> str:
    """The formula for three audiences."""
    found = [(name, demand, size_of(demand)) for name, demand in EXAMPLES]
    rows = [_row("", *(name for name, _demand, _size in found)), _row("---", *("---" for _ in found))]

    def line(title: str, text: Callable[[Demand, Size], str]) -> None:
        rows.append(_row(title, *(text(demand, size) for _name, demand, size in found)))

    line("events/s in the worst minute", lambda demand, _: f"{demand.events_per_second:,.0f}")
    line("events a day", lambda demand, _: f"{demand.events_per_day / 1e6:,.0f} million")
    line("partitions", lambda _, size: f"{size.partitions}")
    line("workers", lambda _, size: f"{size.workers}")
    line("cores that they take together", lambda _, size: f"{size.worker_cores:.2f}")
    line("memory of each", lambda _, size: f"{size.worker_memory_mib:,.0f} MiB")
    line("Redis, cores", lambda _, size: f"{size.redis_cores:.2f}")
    line("Redis, memory", lambda _, size: f"{size.redis_memory_mib:,.0f} MiB")
    line("Redis servers, by region", lambda _, size: f"{size.redis_prefixes}")
    line("Kafka, bytes a second", lambda _, size: f"{size.kafka_bytes_per_second / 1e6:,.1f} MB")
    line("Kafka, disk of three replicas for a week", lambda _, size: f"{size.kafka_disk_bytes / 1e9:,.0f} GB")
    line("a scrape", lambda _, size: f"{size.scrape_lines:,} lines, {size.scrape_bytes / 1e3:,.0f} kB before gzip")
    return "".join(rows)


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "metrics": metrics,
    "reasons": reasons,
    "guards": guards,
    "constants": constants,
    "sizes": sizes,
}


def written(text: str) -> str:
    """The text with every table made anew."""
    return _BLOCK.sub(lambda block: block[1] + "\n" + TABLES[block[2]]() + "\n" + block[3], text)


def main() -> int:
    """Write, or say what is not current."""
    stale = []
    for path in sorted(ROOT.glob("docs/**/*.md")):
        text = path.read_text()
        if written(text) != text:
            stale.append(str(path.relative_to(ROOT)))
            if "--check" not in sys.argv:
                path.write_text(written(text))
    if "--check" in sys.argv and stale:
        print(f"not current: {', '.join(stale)}; write the tables with `make tables`")  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
