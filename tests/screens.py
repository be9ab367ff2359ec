"""The pictures of the live page in docs/img/, each of a whole chain on this machine: `make screens SCREENS="calm storm"`.

    python -m tests.screens --past DIRECTORY --out docs/img [calm storm rentree silence stale]

`--past` is the archive of `make prove-alerts`; the scene of the rentrée makes its own. A scene takes three to twelve minutes.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from playwright.sync_api import Browser

from tests.alerting.chain import Chain, get, running
from tests.alerting.modes import MODES, Mode
from tests.alerting.sinks import Sinks
from tests.board_pictures import take_boards
from tests.servers.browser import PHONE, WALL, WIDE, chromium, opened

RECENT_SECONDS = 150
#: A busy machine takes long to read the past, before it judges anything.
LOADING_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: its file, what follows the page's address, size in pixels, colour scheme, and whether all of the page is wanted."""

    name: str
    address: str = ""
    size: tuple[int, int] = WIDE
    scheme: str = "light"
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """A mode of `make prove-alerts`, how many minutes must have been judged, the kind of alert that must run and for how many minutes, and
    the pictures; with `boards` also those of Grafana's boards.
    """

    mode: Mode
    shots: tuple[Shot, ...]
    judged_minutes: int = 4
    kind: str | None = None
    alert_minutes: int = 0
    scale: str = "0.02"
    boards: bool = False


def everywhere(name: str) -> tuple[Shot, ...]:
    """All of France on a desk, a wall and a telephone, in light and in dark."""
    schemes = {"light": "clair", "dark": "sombre"}
    return tuple(
        Shot(f"page-{name}-{size[0]}-{french}", "", size, scheme, is_whole=size == PHONE)
        for size in (WIDE, WALL, PHONE)
        for scheme, french in schemes.items()
    )


SCENES = {
    "calm": Scene(MODES["ordinary"], everywhere("calme")),
    "storm": Scene(
        MODES["storm"], (*everywhere("tempete"), Shot("page-service", "?service=PAGE_ENT")), kind="surge", alert_minutes=1, boards=True
    ),
    "rentree": Scene(
        Mode("the rentrée", date="2026-09-01", scenario="rentree", seconds=900),
        (Shot("page-rentree", size=WALL), Shot("page-semaine", "?region=84&duree=7j")),
        judged_minutes=6,
        scale="0.2",
    ),
    "silence": Scene(MODES["project"], (Shot("page-region-muette", "?region=44"), Shot("page-ent-muet", "?ent=mbn")), kind="silence"),
    "stale": Scene(replace(MODES["kafka"], seconds=600), (Shot("page-chaine-arretee"),)),
}  # fmt: skip


def is_recent(judged: str | None) -> bool:
    """Whether what was judged is of now, not of the run-up."""
    return judged is not None and time.time() - datetime.fromisoformat(judged).timestamp() < RECENT_SECONDS


def minutes_between(first: str, then: str) -> float:
    """Two times of the API."""
    return (datetime.fromisoformat(then) - datetime.fromisoformat(first)).total_seconds() / 60


def wait_for(scene: Scene, chain: Chain) -> None:
    """Until the scene can be looked at.

    Raises:
        TimeoutError: it was not to be seen within the mode's time.
    """
    deadline, judged = time.monotonic() + LOADING_SECONDS + scene.mode.seconds, set[str]()
    while time.monotonic() < deadline:
        time.sleep(1)
        found = get(f"{chain.observer}/api/v1/alerts?state=running") or {}
        if is_recent(found.get("judged_to")):
            judged.add(found["judged_to"])
        is_told = scene.kind is None or any(
            alert["kind"] == scene.kind and minutes_between(alert["start"], found["judged_to"]) >= scene.alert_minutes
            for alert in found.get("alerts", ())
        )
        if len(judged) >= scene.judged_minutes and is_told:
            return
    raise TimeoutError(f"{scene.mode.says}: not to be seen in {LOADING_SECONDS + scene.mode.seconds:.0f} s")


def take(browser: Browser, chain: Chain, shot: Shot, out: Path) -> None:
    """One picture of the page, once it shows a figure."""
    address = f"{chain.observer}/{shot.address}"
    with opened(browser, address, shot.size, shot.scheme) as page:
        page.locator('#big:not(:text-is("…"))').wait_for()
        page.wait_for_timeout(6000)
        page.screenshot(path=out / f"{shot.name}.png", full_page=shot.is_whole)
    print(f"{out / shot.name}.png", flush=True)


def play(scene: Scene, past: Path, out: Path) -> None:
    """Run one scene and take its pictures."""
    with tempfile.TemporaryDirectory() as temporary, Sinks() as sinks:
        directory = Path(temporary)
        if scene.mode.scenario == "rentree":
            past = directory / "no-past"  # `vigie up` makes it
        with running(scene.mode, past, scene.scale, directory, directory / "up.log", sinks) as chain:
            try:
                wait_for(scene, chain)
                if scene.mode.stop:
                    chain.stop(scene.mode.stop)
                    time.sleep(150)
                with chromium() as browser:
                    for shot in scene.shots:
                        take(browser, chain, shot, out)
                if scene.boards:
                    for path in take_boards(chain.prometheus, out):
                        print(path, flush=True)
            except BaseException:
                print((directory / "up.log").read_text()[-3000:], file=sys.stderr)
                raise


def main() -> None:
    """Play the scenes that are named, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--past", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/img"))
    parser.add_argument("scenes", nargs="*")
    arguments = parser.parse_args()
    if unknown := set(arguments.scenes) - set(SCENES):
        parser.error(f"no scene {sorted(unknown)}; there are {', '.join(SCENES)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.scenes or SCENES:
        print(f"{name}: {SCENES[name].mode.says}", flush=True)
        play(SCENES[name], arguments.past, arguments.out)


if __name__ == "__main__":
    main()
