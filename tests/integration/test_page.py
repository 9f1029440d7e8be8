"""The page `/` of a real daemon on a real engine, in a real browser."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from functools import partial

import pytest
from docker.models.containers import Container
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from tests.browser import browser, errors, resize
from tests.conftest import Lab, eventually, newest_only
from tests.page.read import HOSTILE, is_unharmed, rows, shows_hostile, text

pytestmark = newest_only

WANTS_DB = {"hostwatch.hosts": "@{db.ip} db"}
SHOWN_WITHIN = 200
"""Milliseconds from the write of the file until the page shows it."""


@pytest.fixture(scope="module")
def driver() -> Iterator[Chrome]:
    """One browser for all."""
    with browser() as made:
        yield made


@pytest.fixture
def url(lab: Lab, driver: Chrome) -> Iterator[str]:
    """The address that the daemon is to listen at; the console has no errors at the end."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    lab.environ["HOSTWATCH_CONFIG"] = lab.configured(f'http: {{listen: "127.0.0.1:{port}"}}')
    resize(driver, 1280, 800)
    yield f"http://127.0.0.1:{port}/"
    driver.get("about:blank")
    assert errors(driver) == []


def opened(driver: Chrome, url: str, subscribers: int = 1) -> None:
    """Open the page and wait until it shows so many subscribers."""
    driver.get(url)
    eventually(lambda: len(rows(driver, "subscribers")) == subscribers)


def forget_lost_connections(driver: Chrome) -> None:
    """Take what the browser itself says of a server that is not there; nothing else may be in the console."""
    assert [each for each in errors(driver) if "net::ERR_" not in each["message"]] == []


_TELL_WHEN = """
window.seen = null;
new MutationObserver((_, observer) => {
  if (!document.querySelector("#subscribers").innerText.includes(arguments[0])) return;
  window.seen = Date.now();
  observer.disconnect();
}).observe(document.querySelector("#subscribers"), { subtree: true, childList: true, characterData: true });
"""


def test_a_new_address_is_on_the_page_within_200_ms_of_the_write(lab: Lab, driver: Chrome, url: str) -> None:
    """A container is made anew, and the page is not loaded again.

    A machine that others use may delay anything: one clean attempt of five counts.
    """
    lab.run("db", address="10.123.200.1")
    web = lab.run("web", labels=WANTS_DB)
    with lab.hostwatch():
        opened(driver, url)
        taken = [_shown_after(lab, driver, web, f"10.123.200.{number}") for number in range(2, 7)]
    print(f"on the page after {taken} ms")
    assert min(taken) < SHOWN_WITHIN
    eventually(lambda: "10.123.200.5 → becomes 10.123.200.6" in text(driver, ".log"))
    forget_lost_connections(driver)


def _shown_after(lab: Lab, driver: Chrome, web: Container, address: str) -> int:
    """The milliseconds from the write of a new address of the database until the page shows it."""
    driver.execute_script(_TELL_WHEN, address)
    lab.client.containers.get("db").remove(force=True)
    lab.run("db", address=address)
    eventually(lambda: lab.records(web) == {"db": [address]})
    written = lab.hosts_path(web).stat().st_mtime * 1000
    shown = eventually(lambda: driver.execute_script("return window.seen"))
    eventually(lambda: address in text(driver, "#services"))
    return int(shown - written)


def test_the_connection_is_lost_and_regained(lab: Lab, driver: Chrome, url: str) -> None:
    """The daemon ends and comes back: the page says so in words, keeps what it shows, and follows again by itself."""
    lab.run("db", address="10.123.200.1")
    web = lab.run("web", labels=WANTS_DB)
    with lab.hostwatch():
        opened(driver, url)
    eventually(lambda: "The connection to hostwatch is lost since" in text(driver, ".notices"))
    assert "10.123.200.1" in text(driver, "#subscribers"), "as it was then"
    lab.client.containers.get("db").remove(force=True)
    lab.run("db", address="10.123.200.2")
    with lab.hostwatch():
        eventually(lambda: lab.records(web) == {"db": ["10.123.200.2"]})
        eventually(lambda: not text(driver, ".notices"), 40)
        eventually(lambda: "10.123.200.2" in text(driver, "#subscribers"))
        forget_lost_connections(driver)
    forget_lost_connections(driver)


def test_an_engine_that_is_away_is_said_in_words(lab: Lab, driver: Chrome, url: str) -> None:
    """What is shown stays, as the files do."""
    lab.run("db", address="10.123.200.1", restart_policy={"Name": "always"})
    lab.run("web", labels=WANTS_DB, restart_policy={"Name": "always"})
    with lab.hostwatch():
        opened(driver, url)
        lab.engine.kill(signal.SIGKILL)
        eventually(lambda: "The engine is away" in text(driver, ".notices"), 40)
        assert "10.123.200.1" in text(driver, "#subscribers")
        lab.engine.start()
        eventually(lambda: not text(driver, ".notices"), 40)
    forget_lost_connections(driver)


_CLICK = "document.querySelector(arguments[0]).dispatchEvent(new MouseEvent('click', {bubbles: true}))"


def test_a_click_shows_the_same_reasons_as_why(lab: Lab, driver: Chrome, url: str) -> None:
    """On a subscriber, a line or a service; each step of the command is on the page."""
    lab.run("db", address="10.123.200.1")
    lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db\n@{cache.ip} cache"})
    with lab.hostwatch():
        opened(driver, url)
        (subscriber,) = json.loads(lab.command("why", "web", "--json").stdout)["subscribers"]
        steps = [step["text"] for line in subscriber["lines"] for step in line["steps"]]
        assert steps
        driver.find_element(By.CSS_SELECTOR, "#subscribers .row").click()
        eventually(lambda: all(" ".join(step.split()) in text(driver, ".panel") for step in steps))
        driver.execute_script(_CLICK, ".lines .line.right .reach")
        eventually(lambda: "web → db" in text(driver, ".panel h3") and "10.123.200.1" in text(driver, ".reasons"))
        assert "cache" not in text(driver, ".reasons")
        driver.find_element(By.CSS_SELECTOR, "#services .absent").click()
        eventually(lambda: "@{cache.ip} cache" in text(driver, ".panel"))
    forget_lost_connections(driver)


def test_the_search_filters_both_sides(lab: Lab, driver: Chrome, url: str) -> None:
    """By names, addresses and reasons."""
    for number, name in enumerate(("db", "cache"), 1):
        lab.run(name, address=f"10.123.200.{number}")
        lab.run(f"web-{name}", labels={"hostwatch.hosts": f"@{{{name}.ip}} {name}"})
    lab.run("web-none", labels={"hostwatch.hosts": "@{none.ip} none"})
    with lab.hostwatch():
        opened(driver, url, 3)
        for words, subscribers, services in (
            ("10.123.200.2", {"web-cache"}, {"cache"}),
            ("web none", {"web-none"}, {"none", "web-none"}),
            ("web-db", {"web-db"}, {"db", "web-db"}),
            ("withheld", {"web-none"}, set[str]()),
        ):
            _search(driver, words, subscribers)
            eventually(lambda services=services: names(driver, "services") == services)  # type: ignore[misc]
    forget_lost_connections(driver)


def _search(driver: Chrome, words: str, subscribers: set[str]) -> None:
    """Search, and wait until only these subscribers are left."""
    # As a user does it: an emptied field without a key press would get its text back at the page's next change.
    driver.find_element(By.ID, "search").send_keys(Keys.CONTROL, "a", Keys.NULL, words)
    eventually(lambda: names(driver, "subscribers") == subscribers)


def names(driver: Chrome, side: str) -> set[str]:
    """The names of the rows in view."""
    script = "return [...document.querySelectorAll(`#${arguments[0]} .name`)].map((each) => each.innerText)"
    return {*driver.execute_script(script, side)}


def test_any_moment_of_the_history_is_shown(lab: Lab, driver: Chrome, url: str) -> None:
    """By the field, the buttons and a change in the list; the page says that it is not now, and goes back."""
    lab.run("db", address="10.123.200.1")
    web = lab.run("web", labels=WANTS_DB)
    with lab.hostwatch():
        eventually(lambda: lab.records(web) == {"db": ["10.123.200.1"]})
        opened(driver, url)
        time.sleep(1.1)  # the field knows no part of a second
        between = driver.execute_script("return new Date().toISOString().slice(0, 19)")
        time.sleep(1.1)
        lab.client.containers.get("db").remove(force=True)
        lab.run("db", address="10.123.200.2")
        eventually(lambda: "10.123.200.2" in text(driver, "#subscribers"))
        _type_moment(driver, between)
        eventually(lambda: "not now" in text(driver, ".notices") and "10.123.200.1" in text(driver, "#subscribers"))
        driver.find_element(By.CSS_SELECTOR, "[aria-label='Later change']").click()
        eventually(lambda: "10.123.200.2" in text(driver, "#subscribers") and "not now" in text(driver, ".notices"))
        _type_moment(driver, "2020-01-01T00:00:00")
        eventually(lambda: "is not known: the history begins at" in text(driver, ".notices"))
        driver.find_element(By.CSS_SELECTOR, ".moment .now").click()
        eventually(lambda: not text(driver, ".notices"))
    forget_lost_connections(driver)


def _type_moment(driver: Chrome, moment: str) -> None:
    """As typing does it in any language of the browser: the value, and that it changed."""
    driver.execute_script(
        "const at = document.getElementById('at'); at.value = arguments[0]; at.dispatchEvent(new Event('change'))",
        moment,
    )


def _is_chosen(driver: Chrome, beginning: str) -> bool:
    """Whether the reasons are those of something whose name begins so."""
    return text(driver, ".panel h3").startswith(beginning)


def test_hostile_labels_are_text(lab: Lab, driver: Chrome, url: str) -> None:
    """Markup, scripts, control characters and 100 kB: shown, and nothing of them runs."""
    compose = "com.docker.compose"
    lab.run("web", labels=WANTS_DB | {"hostwatch.names": HOSTILE, f"{compose}.project": HOSTILE})
    for name, service in (("odd", HOSTILE), ("large", "x" * 100_000)):
        lab.run(name, labels={f"{compose}.project": service, f"{compose}.service": service})
    with lab.hostwatch():
        opened(driver, url)
        for name in ("<img src=x", "xxxxx"):
            place = f"//*[@id='services']//*[@role='option'][contains(., '{name}')]"
            driver.find_element(By.XPATH, place).click()
            eventually(partial(_is_chosen, driver, name))
            shows_hostile(driver, 50_000)
        is_unharmed(driver)
    forget_lost_connections(driver)
