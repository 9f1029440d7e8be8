"""Each page of the documentation, followed on a real machine: its commands work, and show what it says."""

from collections.abc import Iterator

import pytest

from tests.reader.documentation import PAGES, name
from tests.reader.machines import Machines
from tests.reader.page import Page
from tests.reader.reading import read_on


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """The engines of all pages."""
    with Machines(tmp_path_factory.mktemp("pages")) as made:
        yield made


@pytest.mark.timeout(600)  # the page with hostwatch's own image may be the first to need it built
@pytest.mark.parametrize("page", [page for page in PAGES if page.is_followed], ids=name)
def test_a_page_is_as_it_says(page: Page, machines: Machines) -> None:
    with machines.seats(page) as seats:
        faults = read_on(page, seats).faults
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)
