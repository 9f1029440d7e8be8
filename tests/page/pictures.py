"""Makes the pictures of docs/how-to/page.md: the page of a real daemon beside a real engine: light, dark, on a phone.

Run by hand after a change of the page: `.venv/bin/python -m tests.page.pictures`.
"""

import base64
import io
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container
from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests import engine as engines
from tests.browser import browser, resize
from tests.conftest import Lab, eventually, make_lab
from tests.image import REPOSITORY
from tests.page.read import rows, text

_LINES = {
    "web": "@{db.ip} db\n@{cache.ip} cache sessions",
    "worker": "@{queue.ip} queue\n@{db.ip} db\n@{mail.ip} mail",
    "report": "@{db.ip} db\n@{search.ip} search",
}
_SUBSCRIBERS = {"web": 4, "worker": 3, "report": 1}
_SERVICES = {"db": 1, "cache": 1, "queue": 3, "mail": 0, "search": 1}


def main() -> None:
    """Make all pictures."""
    version = engines.VERSIONS[-1]
    engine = engines.start(version, "pictures")
    try:
        with tempfile.TemporaryDirectory() as directory:
            client = docker.DockerClient(base_url=engine.docker_host, timeout=60)
            with make_lab(engine, client, Path(directory)) as lab, browser() as driver:
                _take_all(lab, driver)
            client.close()
    finally:
        engine.stop()


def _take_all(lab: Lab, driver: Chrome) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    _furnish(lab)
    with lab.hostwatch("-c", lab.configured(f'http: {{listen: "127.0.0.1:{port}"}}')):
        driver.get(f"http://127.0.0.1:{port}/")
        resize(driver, 1280, 800)
        eventually(lambda: len(rows(driver, "subscribers")) == sum(_SUBSCRIBERS.values()) + 1)
        for name in ("shop-cache-1", "shop-queue-2", "shop-db-1"):
            lab.client.containers.get(name).restart(timeout=0)
            time.sleep(3)  # with its lines: a restart that comes back in time is no change
        lab.client.containers.get("shop-search-1").kill()
        _move(lab, "shop-db-1", "10.123.0.80")
        eventually(lambda: "10.123.0.80" in text(driver, ".log"))
        driver.find_element(By.XPATH, "//*[@id='subscribers']//*[normalize-space()='shop-worker-1']").click()
        time.sleep(4)
        for name, width, height, scheme in (
            ("light", 1280, 800, "light"),
            ("dark", 1280, 800, "dark"),
            ("phone", 360, 740, "light"),
        ):
            resize(driver, width, height, scheme)
            driver.execute_script("scrollTo(0, 0)")
            time.sleep(0.5)
            taken_now = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": False})
            picture = Image.open(io.BytesIO(base64.b64decode(taken_now["data"])))
            picture.convert("RGB").quantize(128).save(REPOSITORY / f"docs/images/page-{name}.png", optimize=True)


def _furnish(lab: Lab) -> None:
    for name, count in _SERVICES.items():
        for number in range(1, max(count, 1) + 1):
            made = _make(lab, name, number)
            if count:
                made.start()
    for name, count in _SUBSCRIBERS.items():
        for number in range(1, count + 1):
            _make(lab, name, number, {"hostwatch.hosts": _LINES[name]}).start()
    (lab.directory / "hosts").write_text("127.0.0.1 localhost\n")
    mounted = {str(lab.directory / "hosts"): {"bind": "/etc/hosts"}}
    _make(lab, "admin", 1, {"hostwatch.hosts": _LINES["web"]}, volumes=mounted).start()


def _make(lab: Lab, name: str, number: int, labels: dict[str, str] | None = None, **options: Any) -> Container:
    compose = {"project": "shop", "service": name, "container-number": str(number)}
    all_labels = {f"com.docker.compose.{key}": value for key, value in compose.items()} | (labels or {})
    return lab.create(f"shop-{name}-{number}", labels=all_labels, **options)


def _move(lab: Lab, name: str, address: str) -> None:
    container = lab.client.containers.get(name)
    lab.network.disconnect(container)
    lab.network.connect(container, ipv4_address=address)


if __name__ == "__main__":
    main()
