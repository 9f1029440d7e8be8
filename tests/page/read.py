"""Reads what the page shows."""

import re

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.conftest import eventually

HOSTILE = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>\x1b[2J\u202e\x00\x9b"
"""Markup, scripts and control characters, as a container may have them in a label."""


def opened(driver: Chrome, url: str) -> None:
    """Open the page, and wait for its subscribers."""
    driver.get(url)
    eventually(lambda: rows(driver, "subscribers"))


def rows(driver: Chrome, side: str) -> list[str]:
    """The texts of the rows in view of `subscribers` or `services`, in their order."""
    script = "return [...document.querySelectorAll(`#${arguments[0]} [role=option]`)].map((row) => row.innerText)"
    return [" ".join(text.split()) for text in driver.execute_script(script, side)]


def text(driver: Chrome, place: str = "body") -> str:
    """What a part of the page says; nothing if it is not there."""
    script = "return document.querySelector(arguments[0])?.innerText ?? ''"
    return " ".join(str(driver.execute_script(script, place)).split())


def shows_hostile(driver: Chrome, most: int) -> None:
    """Check that the text above is shown as text, without its control characters, and with `most` characters in all."""
    shown = text(driver)
    assert "<img src=x onerror=" in shown
    assert not re.search("[\x00-\x08\x1b\x9b\u202e]", shown)
    assert len(shown) < most


def is_unharmed(driver: Chrome) -> None:
    """Check that nothing of that text ran, became an element or sticks out."""
    assert driver.execute_script("return window.hacked") is None
    assert not driver.find_elements(By.CSS_SELECTOR, "#page img, #page script")
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
