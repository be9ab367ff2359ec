"""Debian's chromium, and a page opened in it. Playwright keeps an event loop in the calling thread: servers are filled `elsewhere`."""

import gzip
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Browser, FloatRect, Page, Request, sync_playwright

CHROMIUM = "/usr/bin/chromium"
AXE = Path(__file__).parent.parent / "data" / "axe" / "axe.min.js.gz"
WIDE, WALL, PHONE = (1440, 900), (1920, 1080), (390, 844)
T = TypeVar("T")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    assert Path(CHROMIUM).exists(), "chromium is missing: deploy/install-servers.sh --tests installs it"
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--js-flags=--expose-gc", "--enable-precise-memory-info"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser, address: str, size: tuple[int, int] = WIDE, scheme: Any = "light", script: str = ""
) -> Iterator[Page]:
    """The page at an address; a JavaScript error in it, or a request to another server, fails the test at the end."""
    wrong: list[str] = []

    def asked(request: Request) -> None:
        if not request.url.startswith(address.rsplit("/", 1)[0]):
            wrong.append(f"asked {request.url}")

    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, locale="fr-FR")
    try:
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("request", asked)
        if script:
            page.add_init_script(script)
        page.goto(address)
        yield page
    finally:
        context.close()  # a page of a test that failed would go on drawing, and slow the others down
    assert not wrong


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 A and AA and its best practices."""
    page.evaluate(gzip.decompress(AXE.read_bytes()).decode())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{v['id']}: {v['help']}: {[n['html'][:120] for n in v['nodes'][:3]]}" for v in found["violations"]]


def elsewhere(call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run something that needs an event loop of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call, *args, **kwargs).result()


def box_of(page: Page, part: str) -> FloatRect:
    """Where a part that is shown lies on the page."""
    found = page.locator(part).bounding_box()
    assert found is not None, f"{part} is not shown"
    return found
