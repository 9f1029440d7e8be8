"""A real browser for the tests of the page: Debian's Chromium without a window, in a root of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.image import chromium

SHOWN = "/tmp/shown"
_SCRIPT = Path(__file__).with_name("chromium.sh")
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # it runs as root, and opens nothing but the page
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@contextmanager
def browser(width: int = 1280, height: int = 800, shown: Path | None = None) -> Iterator[Chrome]:
    """A browser with one empty page of this size. Its file system has the directory `shown` as `SHOWN`."""
    options = ChromeOptions()
    options.binary_location = "/usr/lib/chromium/chromium"  # in its root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in (*_ARGUMENTS, f"--window-size={width},{height}"):
        options.add_argument(argument)
    environ = {"CHROMIUM_ROOT": str(chromium()), "CHROMIUM_SHOWN": str(shown or "")}
    service = ChromeService(str(_SCRIPT), env=os.environ | environ)
    driver = Chrome(options, service)
    try:
        driver.set_script_timeout(30)
        yield driver
    finally:
        driver.quit()


def resize(driver: Chrome, width: int, height: int, scheme: str = "light") -> None:
    """Give the page another size, and a scheme of colours: `light` or `dark`."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def errors(driver: Chrome) -> list[dict[str, Any]]:
    """What the console has as errors or warnings since the last call: violations of the policy are among them."""
    entries: list[dict[str, Any]] = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry for entry in entries if entry["level"] in ("SEVERE", "WARNING")]
