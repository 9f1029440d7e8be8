"""A list in JSON that is taken apart while it comes."""

import json
from collections.abc import Iterator

import pytest

from hostwatch.catalogs.json_list import Items
from hostwatch.control.catalog import CatalogError

LIST = [{"a": "ä" * length, "b": [length, None]} for length in (0, 1, 50, 500)]


def taken(text: str, size: int) -> Iterator[object]:
    """The items of a text that comes in parts of so many bytes."""
    items, content = Items(), text.encode()
    for start in range(0, len(content), size):
        yield from items.take(content[start : start + size])
    yield from items.end()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 10_000])
def test_all_items_come_whole_whatever_the_parts(size: int) -> None:
    for text in (json.dumps(LIST), f" \n{json.dumps(LIST, ensure_ascii=False, indent=1)}\n"):
        assert [*taken(text, size)] == LIST
    assert [*taken("[]", size)] == [*taken(" null\n", size)] == []


@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize("text", ["", "nul", "nullx", "<html>", "{}", "[", '[{"a": 1}', '[{"a": }]', "[" * 5_000])
def test_what_is_no_list_is_told(text: str, size: int) -> None:
    with pytest.raises(CatalogError, match="is a Consul there"):
        [*taken(text, size)]


def test_an_item_comes_long_before_the_end() -> None:
    """So that no step is as long as the whole list."""
    items, content = Items(), json.dumps([{"a": "x" * 1_000}] * 1_000).encode()
    half = len(content) // 2
    found = [item for start in range(0, half, 4_096) for item in items.take(content[start : start + 4_096])]
    assert len(found) > 400
