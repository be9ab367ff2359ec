"""What `vigie up` shows, on a terminal and elsewhere."""

import io
import re

import pytest
from rich.console import Console

from streams.local.chain import ChainLook
from streams.local.screen import FrenchNames, Screen, StackView, line
from streams.local.supervisor import ProcessStatus, State

#: 2026-11-23T15:30:00Z; with the shift below, 2026-09-01 07:52 in Paris.
CLOCK = 1_795_447_800.0
SHIFT = -7_205_880
CHAIN = ChainLook(
    counted=1_234_567,
    rejected=42,
    rate=2041.4,
    lag=17,
    settled_at=CLOCK - 24,
    owned=8,
    partitions=8,
    top_regions=(("44", 900), ("11", 450)),
    top_services=(("CAHIER_TEXTES", 700),),
)
PROCESSES = (
    ProcessStatus("kafka", None, 100, State.RUNNING, 19092, 0, CLOCK, None),
    ProcessStatus("worker", 0, 101, State.RUNNING, 8001, 0, CLOCK, None),
    ProcessStatus("worker", 1, None, State.RESTARTING, 8002, 3, CLOCK, "signal SIGKILL"),
)
NAMES = FrenchNames({"44": "Grand Est", "11": "Île-de-France"}, {"CAHIER_TEXTES": "Cahier de textes"})


def view(**changes) -> StackView:
    values = {
        "chain": CHAIN,
        "problem": None,
        "processes": PROCESSES,
        "shift_seconds": SHIFT,
        "clock": CLOCK,
        "up_seconds": 65.0,
        "left_seconds": None,
    }
    return StackView(**{**values, **changes})


def drawn(shown: StackView, width: int = 110, height: int = 50) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True)
    screen = Screen({"API": "http://127.0.0.1:8000/docs"}, NAMES, live=False, console=console)
    console.print(screen.render(shown))
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue())


def test_the_live_view_shows_the_chain_and_every_process():
    text = drawn(view())
    for wanted in ("2,041", "1,234,567", "42", "17", "8/8", "07:51:36", "24 s ago", "http://127.0.0.1:8000/docs"):
        assert wanted in text
    for wanted in ("Grand Est", "Île-de-France", "Cahier de textes"):
        assert wanted in text
    assert re.search(r"worker 1 +● restarting +- +8002 +3", text)


def test_a_simulation_says_so_and_only_a_simulation():
    assert "where it is 2026-09-01 07:52+02:00 now" in drawn(view())
    assert "simulation" not in drawn(view(shift_seconds=0))
    assert "scenario 2026-09-01 07:52:" in line(view())


@pytest.mark.parametrize("width", [60, 80, 110, 200])
def test_no_line_is_wider_than_the_terminal(width):
    assert max(len(text) for text in drawn(view(), width).splitlines()) <= width


@pytest.mark.parametrize("width", [80, 110])
@pytest.mark.parametrize("height", [20, 24, 40])
def test_it_fits_the_height_of_the_terminal_and_every_process_is_seen(width, height):
    text = drawn(view(), width, height)
    assert len(text.splitlines()) < height
    assert "worker 1" in text
    assert "Grand Est" in text


def test_a_redis_that_is_down_is_said_and_the_processes_are_still_shown():
    down = view(chain=None, problem="Redis at redis://127.0.0.1:16379/0 does not answer as needed")
    assert "does not answer as needed" in drawn(down)
    assert "kafka" in drawn(down)
    assert "does not answer as needed" in line(down)
    assert "worker 1 restarting" in line(down)


def test_the_plain_line_is_one_line_with_every_figure():
    text = line(view())
    assert "\n" not in text
    for wanted in ("2,041 events/s", "1,234,567 counted", "42 rejected", "lag 17", "settled to 07:51:36 (24 s ago)"):
        assert wanted in text
    assert "2/3 processes up" in text
    assert "worker 1 restarting" in text
    assert "3 restarts" in text


def test_nothing_counted_and_nothing_settled_yet():
    empty = ChainLook(0, 0, None, 0, None, 0, 0, (), ())
    assert "no event yet" in drawn(view(chain=empty))
    assert "settled to - (not yet)" in line(view(chain=empty))


def test_a_terminal_that_went_away_is_left_alone(monkeypatch):
    class Gone(io.StringIO):
        writes = 0

        def write(self, text: str) -> int:
            self.writes += 1
            raise BrokenPipeError

    gone = Gone()
    monkeypatch.setattr("sys.stdout", gone)
    screen = Screen({}, NAMES, live=False)
    screen.say("hello")
    screen.show(view())
    screen.say("hello")
    assert gone.writes == 1
