"""A file that is written once: whole or not at all, never over another one, and with a sentence for what goes wrong."""

import os
from pathlib import Path

import pytest

from hostwatch.proposal.new_file import NewFileError, write_new
from tests.disk import disk


def test_it_is_for_everybody_to_read_whatever_the_umask(tmp_path: Path) -> None:
    """The directory is made, and nothing else is left in it."""
    old = os.umask(0o077)
    try:
        write_new(tmp_path / "etc/hostwatch.yaml", "labels: true\n")
    finally:
        os.umask(old)
    assert (tmp_path / "etc/hostwatch.yaml").read_text() == "labels: true\n"
    assert [(path.name, path.stat().st_mode & 0o777) for path in (tmp_path / "etc").iterdir()] == [
        ("hostwatch.yaml", 0o644)
    ]
    assert (tmp_path / "etc").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("kind", ["file", "directory", "link to nothing"])
def test_what_is_there_stays(kind: str, tmp_path: Path) -> None:
    """The message says how to have the text all the same."""
    path = tmp_path / "hostwatch.yaml"
    match kind:
        case "file":
            path.write_text("mine\n")
        case "directory":
            path.mkdir()
        case _:
            path.symlink_to("/no/such")
    with pytest.raises(NewFileError, match="is there and stays as it is; `hostwatch init --stdout` prints"):
        write_new(path, "ours\n")
    assert kind != "file" or path.read_text() == "mine\n"
    assert [*tmp_path.iterdir()] == [path]


def test_who_was_faster_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that appears while ours is written stays."""
    path, sync = tmp_path / "hostwatch.yaml", os.fsync

    def other(descriptor: int) -> None:
        sync(descriptor)
        path.write_text("mine\n")

    monkeypatch.setattr(os, "fsync", other)
    with pytest.raises(NewFileError, match="is there and stays"):
        write_new(path, "ours\n")
    assert path.read_text() == "mine\n"
    assert [*tmp_path.iterdir()] == [path]


def test_faults_are_sentences_and_leave_nothing(tmp_path: Path) -> None:
    """A full disk, one that is read-only, and a file in the place of the directory."""
    with disk(tmp_path / "full", "size=16k") as full:
        with pytest.raises(NewFileError, match=r"cannot write .*: No space left on device; .*`-c FILE`"):
            write_new(full / "hostwatch.yaml", "x" * 100_000)
        assert [*full.iterdir()] == []
    with disk(tmp_path / "fixed", "ro") as fixed, pytest.raises(NewFileError, match="Read-only file system"):
        write_new(fixed / "etc/hostwatch.yaml", "")
    (tmp_path / "file").write_text("")
    with pytest.raises(NewFileError, match="is no directory; write to another place"):
        write_new(tmp_path / "file/hostwatch.yaml", "")
