"""`make prove`: PROVE_MINUTES (default 40), PROVE_SEED (default: drawn, and printed), PROVE_KILLS, PROVE_OUTAGES, PROVE_RATE."""

import os
import random
import sys
import tempfile
from pathlib import Path

from tests.prove.run import Plan, prove, table

#: What 40 minutes hold: fewer minutes, fewer faults in proportion.
FULL_MINUTES, FULL_KILLS, FULL_OUTAGES = 40.0, 100, 12


def plan_of(environment: dict[str, str]) -> Plan:
    """Read the plan."""
    minutes = float(environment.get("PROVE_MINUTES", FULL_MINUTES))
    share = minutes / FULL_MINUTES
    kills = int(environment.get("PROVE_KILLS", max(1, round(FULL_KILLS * share))))
    outages = int(environment.get("PROVE_OUTAGES", max(2, round(FULL_OUTAGES * share))))
    return Plan(
        seed=int(environment.get("PROVE_SEED", random.SystemRandom().randrange(1_000_000))),
        seconds=minutes * 60,
        kills=kills,
        pauses=max(1, kills // 10),
        rebalances=max(1, kills // 10),
        redis_kills=outages - outages // 2,
        kafka_kills=outages // 2,
        events_per_second=int(environment.get("PROVE_RATE", "500")),
    )


def main() -> int:
    plan = plan_of(dict(os.environ))
    print(
        f"PROVE_SEED={plan.seed}: {plan.kills} kills, {plan.outages} outages in {plan.seconds / 60:g} minutes",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="vigie-prove-") as directory:
        report = prove(plan, Path(directory), lambda line: print(line, flush=True))
    print(table(report))
    for row in report.differences:
        print(f"  {row}")
    return 1 if report.differences else 0


if __name__ == "__main__":
    sys.exit(main())
