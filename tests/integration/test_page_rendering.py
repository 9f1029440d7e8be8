"""The page in a real browser, with states that are made up: how it looks, moves and speaks."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By

from tests.browser import browser, errors, resize
from tests.conftest import eventually
from tests.page import states
from tests.page.accessibility import findings
from tests.page.movement import moved
from tests.page.read import HOSTILE, is_unharmed, opened, rows, shows_hostile, text
from tests.page.served import Told, served

WIDE, PHONE = (1280, 800), (360, 740)


@pytest.fixture(scope="module")
def driver() -> Iterator[Chrome]:
    """One browser for all."""
    with browser() as made:
        yield made


@pytest.fixture
def told() -> Iterator[Told]:
    """The page with the small shop."""
    shop = states.shop()
    why = {each["id"]: states.why(each) for each in shop["subscribers"]}
    with served(Told(shop, why)) as made:
        yield made


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_nothing_serious_stands_in_the_way_of_a_screen_reader_or_weak_eyes(
    driver: Chrome, told: Told, scheme: str, size: tuple[int, int]
) -> None:
    """Of the page as it comes, with reasons, with a moment of the past, and without a connection."""
    web = told.state["subscribers"][0]
    told.changes.append(states.change(1, web, "db", "172.18.0.9", "172.18.0.3"))
    told.blocks.append(
        {"subscriber": "shop-web-1", "subscriber_id": web["id"], "file": "hosts", **_block("172.18.0.9", "db")}
    )
    resize(driver, *size, scheme)
    opened(driver, told.url)
    assert findings(driver) == []
    driver.find_element(By.CSS_SELECTOR, "#subscribers .withheld").click()
    eventually(lambda: "would_change" in driver.page_source)
    assert findings(driver) == []
    driver.find_element(By.CSS_SELECTOR, ".change .time").click()
    eventually(lambda: "cache ○ withheld then" in text(driver, "#services"))
    assert "172.18.0.9" in text(driver, "#subscribers .row") + text(driver, "#services .row")
    assert findings(driver) == []
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    assert errors(driver) == []


def _block(address: str, name: str) -> states.Json:
    withheld = {"line": "@{cache.ip} cache", "reason": "cache: no running container"}
    return {"records": [{"address": address, "names": [name]}], "withheld": [withheld]}


def test_each_kind_is_told_in_words(driver: Chrome, told: Told) -> None:
    """Colour is never the only sign."""
    place = {"host": "host-b", "source": "cluster", "as_last_known": True}
    told.state["services"][0]["containers"][0]["elsewhere"] = place
    resize(driver, *WIDE)
    opened(driver, told.url)
    left, right = rows(driver, "subscribers"), rows(driver, "services")
    assert [row for row in left if "shop-web-1" in row and "right" in row]
    assert [row for row in left if "shop-web-2" in row and "changing" in row]
    assert [row for row in left if "1 withheld" in row and "mail: no running container" in row]
    assert [row for row in left if "refused" in row and "the hosts file is a mount" in row]
    assert [row for row in right if "mail" in row and "not running" in row]
    assert [row for row in right if "search" in row and "not found" in row]
    assert [row for row in right if "db" in row and "of host-b" in row]
    driver.find_element(By.CSS_SELECTOR, "#services .row").click()
    eventually(lambda: "of host-b, as last known" in text(driver, ".panel"))
    source = {"source": "cluster", "up": False, "since": states.SINCE, "fault": "no server answers"}
    told.state["sources"] = [source, {**source, "source": "overlay:mesh", "up": True}]
    told.standing()
    eventually(lambda: "cluster does not answer since" in text(driver, ".notices"))
    assert "(no server answers). What it told of other hosts stays as last known." in text(driver, ".notices")
    assert "overlay:mesh" not in text(driver, ".notices")
    told.state["sources"] = []
    assert "2 withheld" in text(driver, ".kinds")
    told.state["engine"]["connected"] = False
    told.standing()
    eventually(lambda: "The engine is away" in text(driver, ".notices"))
    told.state["engine"]["connected"], told.state["daemon"]["state"] = True, "standby"
    told.standing()
    eventually(lambda: "in standby: another one keeps the files" in text(driver, ".notices"))
    assert "away" not in text(driver, ".notices")
    assert errors(driver) == []


def test_a_resolv_conf_is_shown_with_its_subscriber(driver: Chrome, told: Told) -> None:
    """In its row, in the search, in the reasons, in the changes, and of a moment of the past."""
    web = told.state["subscribers"][0]
    web["records"] = []
    held = {"line": "nameserver @{mail.ip}", "reason": "mail: no running container"}
    resolv = {"path": "/there/resolv.conf", "writer": "path", "in_sync": True, "withheld": [], "error": None}
    web["resolv"] = resolv | {"lines": [{"line": "nameserver 172.18.0.1", "service": "db", "container": "shop-db-1"}]}
    line = told.why[web["id"]]["subscribers"][0]["lines"][0]
    records = [{**line["records"][0], "line": "nameserver 172.18.0.1"}]
    reasons = {**resolv, "lines": [{**line, "line": "nameserver @{db.ip}", "records": records}]}
    told.why[web["id"]]["subscribers"][0] |= {"lines": [], "resolv": reasons}
    told.changes.append(states.change(1, web, "nameserver", "172.18.0.9", "172.18.0.1") | {"file": "resolv"})
    told.blocks.append(
        {"subscriber": "shop-web-1", "subscriber_id": web["id"], "file": "resolv", "records": [], "withheld": [held]}
        | {"lines": [{"line": "nameserver 172.18.0.9"}]}
    )
    resize(driver, *WIDE)
    opened(driver, told.url)
    assert [row for row in rows(driver, "subscribers") if "shop-web-1" in row and "nameserver 172.18.0.1" in row]
    driver.find_element(By.CSS_SELECTOR, "#subscribers .right").click()
    eventually(lambda: "nameserver @{db.ip}" in text(driver, ".panel"))
    assert "/there/resolv.conf" in text(driver, ".panel")
    assert "resolv.conf" in text(driver, ".changes")
    web["resolv"] |= {"withheld": [held], "error": "it is mounted"}
    told.standing()
    eventually(lambda: [row for row in rows(driver, "subscribers") if "shop-web-1" in row and "it is mounted" in row])
    driver.find_element(By.CSS_SELECTOR, ".change .time").click()
    eventually(lambda: [row for row in rows(driver, "subscribers") if "shop-web-1 (resolv.conf)" in row])
    assert "1 withheld" in text(driver, "#subscribers")
    driver.find_element(By.CSS_SELECTOR, "#subscribers .row").click()
    eventually(lambda: "nameserver 172.18.0.9" in text(driver, ".panel .block"))
    assert errors(driver) == []


def test_the_keyboard_alone_reaches_everything(driver: Chrome, told: Told) -> None:
    """Tab goes from part to part, arrows within a part, Enter shows the reasons."""
    resize(driver, *WIDE)
    opened(driver, told.url)
    seen = []
    for _ in range(40):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        seen.append(
            driver.execute_script(
                "const e = document.activeElement; return e.id || e.getAttribute('aria-label') || e.innerText"
            )
        )
        if seen[-1] == "subscribers":
            break
    assert {"search", "at", "Moment, from the first known change to now"} <= {*seen}
    ActionChains(driver).send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER).perform()
    active = "return document.querySelector('#subscribers .active .name')?.innerText"
    # The page draws once per frame, so the active row may be another one for a moment.
    eventually(lambda: (chosen := text(driver, ".panel h3")) and chosen == driver.execute_script(active))
    ActionChains(driver).send_keys(Keys.TAB, Keys.ARROW_DOWN, Keys.ENTER).perform()
    eventually(lambda: "→" in text(driver, ".panel h3"))
    ActionChains(driver).send_keys(Keys.TAB, Keys.END, Keys.ENTER).perform()
    eventually(lambda: text(driver, ".panel h3") == "search")
    ActionChains(driver).send_keys(Keys.ESCAPE).perform()
    eventually(lambda: "Choose a subscriber" in text(driver, ".panel"))
    ActionChains(driver).send_keys("/", "queue").perform()
    eventually(lambda: len(rows(driver, "subscribers")) == 1)
    assert errors(driver) == []


def test_a_page_that_missed_something_gets_it(driver: Chrome, told: Told) -> None:
    """While the stream is cut, a change is made. The page comes back by itself, with the state and the list."""
    opened(driver, told.url)
    web = told.state["subscribers"][0]
    web["records"] = [web["records"][0] | {"address": "172.18.0.77"}]
    told.changes.append(states.change(1, web, "db", "172.18.0.3", "172.18.0.77"))
    told.cut()
    eventually(lambda: "172.18.0.77" in text(driver, "#subscribers"))
    eventually(lambda: "start of db" in text(driver, ".log"))
    assert not text(driver, ".notices")


def test_many_pages_of_one_browser_are_served(driver: Chrome, told: Told) -> None:
    """A browser has six connections to one host: a page that is not seen lets go of its own, and catches up later."""
    opened(driver, told.url)
    first = driver.current_window_handle
    for _ in range(7):
        driver.switch_to.new_window("tab")
        opened(driver, told.url)
    for handle in {*driver.window_handles} - {first}:
        driver.switch_to.window(handle)
        driver.close()
    web = told.state["subscribers"][0]
    web["records"] = [web["records"][0] | {"address": "172.18.0.88"}]
    driver.switch_to.window(first)
    eventually(lambda: "172.18.0.88" in text(driver, "#subscribers"))
    assert errors(driver) == []


def test_a_thousand_subscribers_move_as_smoothly_as_a_hundred(driver: Chrome) -> None:
    """While somebody scrolls, and changes come in, the work for a frame is that of what is in view.

    How long it takes is a question of the machine: `python -m bench page` measures it.
    """
    resize(driver, *WIDE)
    few, many = moved(driver, 100, 30), moved(driver, 1_000, 300)
    print(few, many, sep="\n")
    assert many.most_draws <= 2, "one for each frame, and the observer may be told of two at once"
    assert many.elements < 1.2 * few.elements
    assert many.added / many.frames < 1.5 * few.added / few.frames
    assert many.cpu_ms_per_frame < 2 * few.cpu_ms_per_frame
    assert errors(driver) == []


_EVIL = f"{HOSTILE}\n{'z' * 100_000}"
_WORDS = {"id", "subscriber_id", "kind", "state", "since", "time", "file", "writer", "at", "depth"}


def _hostile(value: object, key: str = "") -> object:
    """The same answer with hostile text in every place that a container may fill."""
    match value:
        case dict():
            return {each: _hostile(found, each) for each, found in value.items()}
        case list():
            return [_hostile(each, key) for each in value]
        case str() if key not in _WORDS:
            return value + _EVIL
    return value


def test_hostile_texts_everywhere_stay_text(driver: Chrome) -> None:
    """Markup, scripts, control characters and 100 kB in every field: shown, cut, and nothing of it runs."""
    resize(driver, *WIDE)
    shop = states.shop()
    why = {each["id"]: _hostile(states.why(each)) for each in shop["subscribers"]}
    worker = shop["subscribers"][2]
    change = _hostile(states.change(1, worker, "db", "172.18.0.9", "172.18.0.3") | {"withheld": worker["withheld"]})
    block = _hostile(
        {"subscriber": "web", "subscriber_id": worker["id"], "file": "hosts", **_block("172.18.0.9", "db")}
    )
    made = Told(_hostile(shop), why, [change], [block])  # type: ignore[arg-type,list-item]
    with served(made) as told:
        opened(driver, told.url)
        for place in (
            "#subscribers .withheld",
            "#subscribers .refused",
            "#services .row",
            ".line .reach",
            ".change .time",
        ):
            driver.execute_script(_CLICK, place)
            eventually(lambda: driver.execute_script("return document.querySelector('.reasons, .block, .facts')"))
            shows_hostile(driver, 100_000)
        is_unharmed(driver)
    assert errors(driver) == []


_CLICK = "document.querySelector(arguments[0]).dispatchEvent(new MouseEvent('click', {bubbles: true}))"
