"""Asks axe-core what a screen reader, or somebody with weak eyes, would stumble over."""

from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome

_AXE = Path(__file__).with_name("axe") / "axe.min.js"


_RUN = """
const done = arguments[0];
axe.run(document).then((found) => done(found.violations), (error) => done([{impact: "critical", help: String(error)}]));
"""


def findings(driver: Chrome) -> list[str]:
    """The serious and critical findings of the page as it is now."""
    driver.execute_script(_AXE.read_text())
    found = driver.execute_async_script(_RUN)
    return [_told(each) for each in found if each["impact"] in ("serious", "critical")]


def _told(finding: dict[str, Any]) -> str:
    places = [f"{node['html'][:200]}: {node['failureSummary']}" for node in finding.get("nodes", [])[:3]]
    return f"{finding['impact']} {finding.get('id')}: {finding['help']}: {places}"
