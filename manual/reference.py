"""The pages of the reference that are made from the code."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from manual import command_page, configuration_page, json_page, log_page, metrics_page, reference_page
from manual.answers import ANSWERS

PAGES: Mapping[str, Callable[[], str]] = {
    "commands.md": command_page.page,
    "configuration.md": configuration_page.page,
    "json.md": json_page.page,
    "labels.md": reference_page.of_labels,
    "log.md": log_page.page,
    "metrics.md": metrics_page.page,
    "references.md": reference_page.references,
    **{f"schemas/{name}.json": partial(json_page.schema, name) for name in ANSWERS},
}
"""Each page below `docs/reference`, with the function that gives its text."""


def write(directory: Path) -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(page())
