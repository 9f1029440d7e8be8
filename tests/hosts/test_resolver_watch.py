"""The host's resolv.conf is followed, however the programs of a host change it."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from hostwatch.core.host_resolver import HostResolver
from hostwatch.hosts import host_resolver, resolver_watch
from hostwatch.hosts.host_resolver import Place
from hostwatch.hosts.resolver_watch import HostResolverFile
from hostwatch.hosts.way import way_of

STUB = "# This is systemd-resolved's stub.\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n"


class Host:
    """A host's files below a directory, and what was reported of them."""

    def __init__(self, root: Path) -> None:
        self.etc, self.run = root / "etc", root / "run"
        self.file, self.upstream = self.etc / "resolv.conf", self.run / "systemd/resolve/resolv.conf"
        self.etc.mkdir()
        self.run.mkdir()
        self.told: list[HostResolver] = []

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Follow the files."""
        async with anyio.create_task_group() as tasks:
            follower = HostResolverFile(lambda: Place(self.file, self.upstream))
            tasks.start_soon(follower.follow, self.told.append)
            yield
            tasks.cancel_scope.cancel()

    async def tells(self, *servers: str, fault: str | None = None) -> None:
        """Wait until these servers are the last that were reported, or a reason with these words."""
        with anyio.fail_after(20):
            while not self.told or not self._is_last(servers, fault):  # noqa: ASYNC110
                await anyio.sleep(0.01)

    def _is_last(self, servers: tuple[str, ...], fault: str | None) -> bool:
        last = self.told[-1]
        return last.nameservers == tuple(map(ip_address, servers)) and (fault or "") in (last.fault or "")

    async def stays(self) -> None:
        """Nothing is reported for a while."""
        before = list(self.told)
        await anyio.sleep(0.3)
        assert self.told == before


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with a resolv.conf of its own."""
    made = Host(tmp_path)
    made.file.write_text(text("192.0.2.1"))
    return made


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is doubtful is believed after a moment."""
    monkeypatch.setattr(resolver_watch, "_DOUBT_SECONDS", 0.1)


def text(*servers: str) -> str:
    """A resolv.conf with these servers."""
    return "".join(f"nameserver {server}\n" for server in servers)


def renamed(path: Path, content: str) -> None:
    """Put a new file in the place of the old one, as NetworkManager does."""
    new = path.with_name("resolv.conf.NEW")
    new.write_text(content)
    new.rename(path)


def linked(path: Path, target: str | Path) -> None:
    """Put a link in the place of a file."""
    new = path.with_name("resolv.conf.link")
    new.symlink_to(target)
    new.rename(path)


async def test_a_file_that_is_written_or_replaced(host: Host) -> None:
    """By a rename, in place, or by removing it before."""
    async with host.followed():
        await host.tells("192.0.2.1")
        for number in range(2, 7):
            renamed(host.file, text(f"192.0.2.{number}"))
            await host.tells(f"192.0.2.{number}")
        host.file.write_text(text("192.0.2.7"))
        await host.tells("192.0.2.7")
        with host.file.open("a") as file:
            file.write("search example.org\n")
        while host.told[-1].search != ("example.org",):  # noqa: ASYNC110
            await anyio.sleep(0.01)
        host.file.unlink()
        host.file.write_text(text("192.0.2.8"))
        await host.tells("192.0.2.8")
    assert len(host.told) == 9


@pytest.mark.slow
async def test_a_link_that_leads_elsewhere(host: Host) -> None:
    """And what it leads to is followed, with the directories on the way, but not what it led to before."""
    async with host.followed():
        await host.tells("192.0.2.1")
        for name in ("a", "b"):
            (host.run / name).mkdir()
            (host.run / name / "resolv.conf").write_text(text(f"192.0.2.{ord(name)}"))
        linked(host.file, "../run/a/resolv.conf")
        await host.tells("192.0.2.97")
        linked(host.file, host.run / "now" / "resolv.conf")
        await host.stays()
        (host.run / "now").symlink_to("b")
        await host.tells("192.0.2.98")
        renamed(host.run / "a" / "resolv.conf", text("192.0.2.9"))
        await host.stays()
        renamed(host.run / "b" / "resolv.conf", text("192.0.2.10"))
        await host.tells("192.0.2.10")
        (host.run / "b").rename(host.run / "c")
        (host.run / "b").mkdir()
        (host.run / "b" / "resolv.conf").write_text(text("192.0.2.11"))
        await host.tells("192.0.2.11")
        shutil.rmtree(host.run / "b")
        (host.run / "a").rename(host.run / "b")
        await host.tells("192.0.2.9")


async def test_systemd_resolved_is_asked_for_its_own_servers(host: Host) -> None:
    """Whether its stub is a link or a copy. They count while the file names systemd-resolved alone."""
    host.upstream.parent.mkdir(parents=True)
    stub = host.upstream.with_name("stub-resolv.conf")
    stub.write_text(STUB)
    host.upstream.write_text(text("192.0.2.53", "2001:db8::53") + "search example.org\n")
    linked(host.file, "../run/systemd/resolve/stub-resolv.conf")
    async with host.followed():
        await host.tells("192.0.2.53", "2001:db8::53")
        assert host.told[-1].search == ("example.org",)
        renamed(host.upstream, text("192.0.2.54"))
        await host.tells("192.0.2.54")
        renamed(host.file, STUB)
        renamed(host.upstream, text("192.0.2.55"))
        await host.tells("192.0.2.55")
        renamed(host.file, text("192.0.2.1"))
        await host.tells("192.0.2.1")
        renamed(host.upstream, text("192.0.2.56"))
        await host.stays()


@pytest.mark.slow
async def test_what_may_be_so_for_a_moment_changes_nothing(host: Host) -> None:
    """The file is away, empty, without a nameserver, no file, a loop of links, or unreadable. Then it is back."""
    others = host.etc / "others"
    others.mkdir()
    (others / "loop").symlink_to("loop")
    (others / "empty").touch()
    (others / "none").write_text("# Generated by NetworkManager\n")
    (others / "long").write_text(text("192.0.2.9") * 10_000)
    os.mkfifo(others / "pipe")
    async with host.followed():
        await host.tells("192.0.2.1")
        host.file.unlink()
        await host.stays()
        for target in ("others", *(f"others/{other.name}" for other in others.iterdir()), "/dev/zero", "nowhere/x"):
            linked(host.file, target)
            await host.stays()
        renamed(host.file, text("192.0.2.1"))
        await host.stays()
        renamed(host.file, text("192.0.2.2"))
        await host.tells("192.0.2.2")
    assert len(host.told) == 2


@pytest.mark.usefixtures("hasty")
async def test_what_stays_so_is_a_fault(host: Host) -> None:
    """With the reason in words, and until it is over."""
    async with host.followed():
        await host.tells("192.0.2.1")
        host.file.unlink()
        await host.tells(fault=f"cannot be read ({host.file}: No such file or directory)")
        host.file.symlink_to("resolv.conf")
        await host.tells(fault="Too many levels of symbolic links")
        renamed(host.file, "search example.org\n")
        await host.tells(fault="the host's resolv.conf has no nameserver")
        assert host.told[-1].search == ("example.org",)
        renamed(host.file, STUB)
        await host.tells(fault="only loopback nameservers (127.0.0.53)")
        renamed(host.file, text("192.0.2.2"))
        await host.tells("192.0.2.2")


async def test_only_loopback_servers_are_known_at_once(host: Host) -> None:
    """They are no matter of a moment."""
    renamed(host.file, text("127.0.0.1"))
    async with host.followed():
        await host.tells(fault="only loopback nameservers (127.0.0.1)")


async def test_a_file_that_is_being_written_changes_nothing(host: Host) -> None:
    """A writer takes its time. Other events of the file come meanwhile."""
    async with host.followed():
        await host.tells("192.0.2.1")
        with host.file.open("w") as file:
            file.write(text("192.0.2.2"))
            file.flush()
            host.file.rename(host.etc / "away").rename(host.file)
            await host.stays()
            file.write(text("192.0.2.3"))
        await host.tells("192.0.2.2", "192.0.2.3")
    assert len(host.told) == 2


async def test_a_change_before_the_way_is_watched_is_not_missed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes just after the first look at a new way."""
    host.run.joinpath("resolv.conf").write_text(text("192.0.2.2"))
    look_at = host_resolver.look_at

    def changed_after(place: Place | None) -> host_resolver.Look:
        look = look_at(place)
        if look.resolver.nameservers == (ip_address("192.0.2.2"),):
            renamed(host.run / "resolv.conf", text("192.0.2.3"))
        return look

    monkeypatch.setattr(resolver_watch, "look_at", changed_after)
    async with host.followed():
        await host.tells("192.0.2.1")
        linked(host.file, "../run/resolv.conf")
        await host.tells("192.0.2.3")


@pytest.mark.slow
async def test_a_file_that_is_written_in_a_loop(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few of its texts are read, and the last one is right."""
    looks = list[Place | None]()
    look_at = host_resolver.look_at

    def noted(place: Place | None) -> host_resolver.Look:
        looks.append(place)
        return look_at(place)

    monkeypatch.setattr(resolver_watch, "look_at", noted)
    async with host.followed():
        await host.tells("192.0.2.1")
        for number in range(1_000):
            renamed(host.file, text(f"192.0.{number // 250}.{number % 250}"))
            await anyio.lowlevel.checkpoint()
        await host.tells("192.0.3.249")
        assert len(looks) < 250


def test_the_way_of_a_path(tmp_path: Path) -> None:
    """Through links of every kind, to a file or to where it is missing."""
    real = Path(os.path.realpath(tmp_path))
    (real / "a" / "b").mkdir(parents=True)
    (real / "a" / "b" / "file").touch()
    (real / "up").symlink_to("a/b/../b/./file")
    (real / "far").symlink_to(real / "up")
    (real / "loop").symlink_to("a/../loop")
    (real / "dead").symlink_to("a/none/file")
    found = way_of(real / "far")
    assert (found.end, found.fault) == (real / "a" / "b" / "file", None)
    names = {"far", "up", "a", "a/b", "a/b/file"}
    assert found.steps == {*real.parents, real, *(real / name for name in names)} - {Path("/")}
    assert (way_of(real / "dead").end, way_of(real / "up" / "x").end) == (real / "a" / "none", real / "a/b/file/x")
    assert all(way_of(real / name).fault for name in ("dead", "loop", "up/x", "nothing"))
    assert way_of(Path("/")).fault is None
