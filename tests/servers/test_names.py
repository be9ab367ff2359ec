"""Two workers of one name, as two machines of one host name have them: one counts, the other says who has its name."""

import signal
import time

import pytest

from streams.count import Cut
from tests.servers.conftest import Installation
from tests.servers.test_poison import Sender
from tests.servers.truth import snapshot_of, total, wait_drained
from tests.servers.workers import workers
from tests.waiting import wait_for

pytestmark = pytest.mark.servers
EXIT_NAME_TAKEN = 6


@pytest.mark.long
def test_of_two_workers_of_one_name_one_counts_and_the_other_says_who_it_is(installation: Installation) -> None:
    settings = installation.settings
    elsewhere = {
        **installation.environment,
        "VIGIE_WORKER_HOST": "127.0.0.2",
    }  # another address, the same port: the same name
    with workers(installation.environment, installation.directory, 1) as (first,):
        wait_for("ready", first.ready)
        with workers(elsewhere, installation.directory, 1) as (second,):
            assert second.process.wait(40) == EXIT_NAME_TAKEN, second.log
            assert "which counts, so this one does not start" in second.log
            assert f"process {first.process.pid} at 127.0.0.1" in second.log
            assert f"process {second.process.pid} at 127.0.0.1" in second.log
            assert "Traceback" not in second.log
        assert first.ready(), "nobody disturbed it"
        assert "rebalancing" not in first.log
        # One that was killed has a successor at once: its process number is nobody's.
        first.kill()
        with workers(elsewhere, installation.directory, 1) as (successor,):
            began = time.monotonic()
            wait_for("ready", lambda: "start at" in successor.log, 30)
            assert time.monotonic() - began < 12, "it did not wait for the session to end"
            # It is stopped for longer than its session; another one takes its place; then it goes on.
            successor.process.send_signal(signal.SIGSTOP)
            with workers(installation.environment, installation.directory, 1) as (third,):
                wait_for("takes the name", lambda: "start at" in third.log, 60)
                successor.process.send_signal(signal.SIGCONT)
                assert successor.process.wait(40) == EXIT_NAME_TAKEN, successor.log
                assert "for which Kafka threw this one out" in successor.log
                assert f"process {third.process.pid} at 127.0.0.1" in successor.log
                assert f"process {successor.process.pid} at 127.0.0.1" in successor.log
                sender = Sender(settings)
                sender.send_good(0, "lz4")
                wait_drained(settings)
                assert total(snapshot_of(settings), Cut.EVENTS) == sender.good
                assert third.stop() == 0
