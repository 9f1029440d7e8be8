"""Files on the host by their paths: which of them are accessed at once, and which in a thread."""

import dataclasses
from pathlib import Path

import pytest

from hostwatch.control.writers import FileGoneError
from hostwatch.core.block.edit import steps
from hostwatch.core.block.hostsfile import Edited
from hostwatch.core.model import Container
from hostwatch.hosts.file_system import is_local
from hostwatch.hosts.lock import HostFileLocks
from hostwatch.hosts.paths import PathHostsFiles
from tests.core.build import ENGINE, box

BEFORE, AFTER = b"127.0.0.1 localhost\n", b"127.0.0.1 localhost\n10.0.0.5 db\n"
EDITED = Edited(AFTER, steps(BEFORE, AFTER))


@pytest.fixture
def owner(tmp_path: Path) -> Container:
    """The owner of a file on the host, whose directory is a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "hosts").write_bytes(BEFORE)
    (tmp_path / "etc").symlink_to("real")
    return dataclasses.replace(box("host"), host_file=tmp_path / "etc" / "hosts")


def files_of(tmp_path: Path, kept: set[Path] | None = None) -> PathHostsFiles:
    """The access under locks on these files; `None`: on all of them."""
    return PathHostsFiles(ENGINE, tmp_path, Path("hosts"), HostFileLocks(kept, tmp_path / "locks"))


async def test_a_file_of_the_host_is_written_at_once_after_an_update_in_a_thread(
    tmp_path: Path, owner: Container
) -> None:
    """The thread has taken its lock by then, and found it on a local file system."""
    files = files_of(tmp_path)
    assert not files.says(owner, BEFORE)
    assert not files.replace(owner, BEFORE, EDITED)
    assert (await files.update(owner, lambda text: text)).before == BEFORE
    assert files.says(owner, BEFORE)
    assert files.replace(owner, BEFORE, EDITED)
    assert files.says(owner, AFTER)
    assert owner.host_file is not None
    assert owner.host_file.read_bytes() == AFTER


async def test_a_file_of_the_host_that_is_another_one_now_is_not_accessed_at_once(
    tmp_path: Path, owner: Container
) -> None:
    """The link above it leads elsewhere, where a file system may be slow."""
    files = files_of(tmp_path)
    await files.update(owner, lambda text: text)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "hosts").write_bytes(BEFORE)
    (tmp_path / "etc").unlink()
    (tmp_path / "etc").symlink_to("other")
    assert not files.says(owner, BEFORE)
    assert not files.replace(owner, BEFORE, EDITED)


async def test_a_file_of_the_host_that_is_not_kept_any_more_is_left_to_a_thread(
    tmp_path: Path, owner: Container
) -> None:
    """That releases its lock after the last write."""
    files = files_of(tmp_path, set())
    await files.update(owner, lambda text: text)
    await files.read(owner)
    assert not files.replace(owner, BEFORE, EDITED)


async def test_a_file_of_the_host_on_a_file_system_that_may_be_slow_is_left_to_a_thread(
    tmp_path: Path, owner: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of the network is."""
    monkeypatch.setattr("hostwatch.hosts.paths.is_local", lambda _path: False)
    files = files_of(tmp_path)
    await files.update(owner, lambda text: text)
    assert not files.replace(owner, BEFORE, EDITED)


def test_a_file_system_is_local_only_if_its_type_is_known() -> None:
    """What cannot be asked counts as slow, too."""
    assert not is_local(Path("/proc/self"))
    assert not is_local(Path("/no such place"))


def test_a_missing_file_is_told_without_a_thread_if_its_directory_is_in_sight(tmp_path: Path) -> None:
    """A container's own. Where there is no directory either, it is left to a thread to find out why."""
    container = box("db")
    files = PathHostsFiles(ENGINE, tmp_path, Path("hosts"))
    assert files.read_now(container) is None
    directory = tmp_path / container.key.id
    directory.mkdir()
    with pytest.raises(FileGoneError):
        files.read_now(container)
    (directory / "hosts").write_bytes(BEFORE)
    assert files.read_now(container) == BEFORE
