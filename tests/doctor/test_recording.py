"""Whether the history could be written: said with a remedy, and nothing is made or changed to find out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hostwatch.archive.archive import open_archive
from hostwatch.config.settings import Settings
from hostwatch.doctor.finding import Finding, Level
from hostwatch.doctor.recording import history
from tests.disk import disk


def examined(file: Path) -> Finding:
    """The finding about a file of the history."""
    (finding,) = history(Settings.model_validate({"history": {"file": str(file)}}), None)
    return finding


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A directory that cannot be written, not by root either."""
    with disk(tmp_path / "read-only", "ro") as place:
        yield place


def test_without_a_file_there_is_nothing_to_say() -> None:
    """Memory is always there."""
    assert list(history(Settings(), None)) == []


def test_a_file_that_can_be_made_or_is_ours(tmp_path: Path) -> None:
    """Its directory is made at need, but not by the doctor."""
    file = tmp_path / "state" / "history.db"
    assert examined(file) == Finding(Level.OK, f"the history can be written to {file}")
    assert not file.parent.exists()
    archive, _ = open_archive(file)
    assert examined(file).level is Level.OK
    archive.close()
    assert examined(file).level is Level.OK


def test_what_keeps_it_from_being_written(tmp_path: Path, read_only: Path) -> None:
    """Each with the reason and the remedy."""
    foreign = tmp_path / "foreign.db"
    foreign.write_text("127.0.0.1 localhost\n")
    link = tmp_path / "link.db"
    link.symlink_to(foreign)
    for file, words in (
        (foreign, "another program's"),
        (tmp_path, "no file"),
        (link, "symbolic links"),
        (foreign / "history.db", "Not a directory"),
        (read_only / "history.db", "its directory cannot be written"),
        (read_only / "more" / "history.db", "its directory cannot be written"),
    ):
        finding = examined(file)
        assert finding.level is Level.PROBLEM
        assert words in finding.what
        assert "config/hostwatch.service.d/history.conf" in finding.remedy
