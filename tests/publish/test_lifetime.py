"""A program that forks, or ends without closing its publisher: every event is delivered or told, by the process that took it."""

import subprocess
import sys

import pytest

#: Nobody listens on port 1.
BEGIN = """
import os, sys, time
from streams.publish import VisitPublisher, publisher as lifetime
lifetime.EXIT_SECONDS_MAX = 0.2
publisher = VisitPublisher("127.0.0.1:1", secrets={"mbn": bytes(32)}, on_failed=lambda lost: print(lost.tag, flush=True))
def publish(id):
    publisher.publish(service="NOTES", uai="0541234Y", user_id=1, id=id)
"""


def run(script: str) -> tuple[list[str], str]:
    """The lines that a program printed, and what it said on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


@pytest.mark.parametrize("end", ["", "sys.exit()", "publisher.flush(0)"])
def test_events_that_wait_when_a_program_ends_are_told(end: str) -> None:
    told, said = run(f'for n in range(3): publish(f"e{{n}}")\n{end}')
    assert told == ["e0", "e1", "e2"]
    assert "3 events were not confirmed by Kafka when this program ended" in said


def test_a_publisher_that_was_closed_is_told_nothing_more() -> None:
    told, said = run('publish("e0")\npublisher.close(0)\nprint("closed")')
    assert told == ["e0", "closed"]
    assert "when this program ended" not in said


def test_the_child_of_a_fork_has_its_own_events_and_its_own_thread() -> None:
    told, _ = run("""
publish("parent")
child = os.fork()
if not child:
    assert publisher.pending == 0
    publish("child")
    assert publisher.health().pending == 1
    time.sleep(0.5)
    assert "its thread has ended" not in str(publisher.health().problem), publisher.health()
    assert publisher.close(0).taken == 1
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("of-parent")
assert publisher.close(0).taken == 1
""")
    assert told == ["child", "of-parent", "parent"]


def test_a_thread_that_cannot_be_had_now_is_asked_for_again() -> None:
    told, _ = run("""
import threading
start, threading.Thread.start = threading.Thread.start, lambda thread: exec('raise RuntimeError("no thread")')
publish("e0")
assert "cannot start its thread" in publisher.health().problem
threading.Thread.start = start
publish("e1")
assert publisher._loop._thread.is_alive()
found = publisher.close(0)
assert (found.taken, found.failed) == (2, 2)
""")
    assert told == ["e0", "e1"]


def test_a_start_that_was_interrupted_makes_no_second_thread() -> None:
    told, _ = run("""
publisher._loop._thread.start()  # Ctrl-C came before anybody noted it
publish("e0")
assert publisher.close(0).failed == 1
""")
    assert told == ["e0"]
