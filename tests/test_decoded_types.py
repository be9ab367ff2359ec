"""msgspec crashes the interpreter where two threads meet a type at the same moment: nobody may decode into one that is not known."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Without `known` it ends by a segmentation fault within a second.
MANY_FIRST_TIMES = '''
import sys, threading, types
import msgspec
from streams.decoded_types import known

SOURCE = """
from __future__ import annotations
import msgspec
class Mark(msgspec.Struct):
    hour: int
    note: str | None
    rest: dict[str, tuple[int, ...]]
class Head(msgspec.Struct):
    format: int
    hours: tuple[Mark, ...]
    more: dict[str, list[Mark]]
"""
BODY = b'{"format":1,"hours":[{"hour":7,"note":null,"rest":{}}],"more":{}}'
sys.setswitchinterval(1e-6)
read = []

def decode(kind, start):
    start.wait()
    read.append(msgspec.json.decode(BODY, type=known(kind)).hours[0].hour)

for number in range(300):
    module = types.ModuleType(f"made{number}")
    sys.modules[module.__name__] = module
    exec(SOURCE, module.__dict__)
    start = threading.Barrier(4)
    threads = [threading.Thread(target=decode, args=(module.Head, start)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
assert read == [7] * 1200, len(read)
'''


def test_threads_may_decode_the_first_of_a_kind_together() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MANY_FIRST_TIMES], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_every_type_is_made_known() -> None:
    asked = re.compile(
        r"msgspec\.(?:json|msgpack)\.decode\((?!.*type=known\()|msgspec\.convert\((?!.*known\(|stored, tuple\[)"
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / "streams").rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if asked.search(line)
    ]
    assert found == [], "write type=known(...), see streams/decoded_types.py"
