"""The page of promises names the tests that hold them: a test that is renamed or gone must not stay named there."""

import re

from tests.image import REPOSITORY

PAGE = REPOSITORY / "docs/explanation/promises.md"


def test_every_test_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:tests/)?[\w/]*?(?:test_\w+\.py|/))`", PAGE.read_text())
    places = [name if name.startswith("tests/") else f"tests/integration/{name}" for name in named]
    assert len(places) > 50
    assert [place for place in places if not (REPOSITORY / place).exists()] == []
