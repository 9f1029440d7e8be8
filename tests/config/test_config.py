"""The configuration: what loads, what is refused, and where each refusal points."""

import re
from pathlib import Path

import pytest

from hostwatch.config import ConfigError, load

HERE = Path(__file__).parent
_EXPECT = re.compile(r"^# expect: (\d+:\d+): (.*)$", re.MULTILINE)


@pytest.mark.parametrize("path", sorted((HERE / "bad").glob("*.yaml")), ids=lambda path: path.stem)
def test_bad(path: Path) -> None:
    """Each fault is found, at its place, with the words that the file expects, and no other is made up."""
    expected = _EXPECT.findall(path.read_bytes().decode(errors="replace"))
    with pytest.raises(ConfigError) as caught:
        load(path)
    faults = caught.value.faults
    assert [f"{fault.line}:{fault.column}" for fault in faults] == [place for place, _ in expected], caught.value
    for fault, (place, words) in zip(faults, expected, strict=True):
        assert words in str(fault)
        assert str(fault).startswith(f"{path}:{place}: ")
