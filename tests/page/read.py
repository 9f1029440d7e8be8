"""Reads what the page shows."""

from selenium.webdriver import Chrome


def rows(driver: Chrome, side: str) -> list[str]:
    """The texts of the rows in view of `subscribers` or `services`, in their order."""
    script = "return [...document.querySelectorAll(`#${arguments[0]} [role=option]`)].map((row) => row.innerText)"
    return [" ".join(text.split()) for text in driver.execute_script(script, side)]


def text(driver: Chrome, place: str = "body") -> str:
    """What a part of the page says; nothing if it is not there."""
    script = "return document.querySelector(arguments[0])?.innerText ?? ''"
    return " ".join(str(driver.execute_script(script, place)).split())
