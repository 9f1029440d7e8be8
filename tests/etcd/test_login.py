"""Users, passwords, certificates: what lets us in, and what is said when it does not."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from hostwatch.control.key_values import Back, Listed, Put, StoreAddress, StoreError
from tests.etcd.told import a_store, away, told
from tests.servers import Etcd, User, etcd

PREFIX = "/hostwatch/"
SECRET = "the pass word"


@pytest.fixture(scope="module", params=["3.4", "3.5-forky"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """A server with users and certificates."""
    directory = tmp_path_factory.mktemp("etcd")
    with etcd(request.param, directory, tls=True, users=[User("hostwatch", SECRET, PREFIX)]) as made:
        yield made


@pytest.fixture
def address(guarded: Etcd, tmp_path: Path) -> StoreAddress:
    """The way in, with copies of the files."""
    assert guarded.certificates is not None
    files = tmp_path / "tls"
    shutil.copytree(guarded.certificates / "client", files)
    password = tmp_path / "password"
    password.write_text(f"{SECRET}\n")
    return StoreAddress(
        tuple(guarded.urls), files / "ca.pem", files / "cert.pem", files / "key.pem", "hostwatch", password
    )


async def fault(address: StoreAddress, key: str = f"{PREFIX}a") -> str:
    """What is said of a store that does not let us in."""
    async with a_store(address) as store:
        with pytest.raises(StoreError) as caught:
            await store.get(key)
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("guarded", ["3.4"], indirect=True)  # the one that refuses a login beside a stale token
async def test_a_login_is_made_anew_when_it_is_forgotten(guarded: Etcd, address: StoreAddress) -> None:
    """The server forgets all tokens when it ends, and one that is not used in time."""
    async with a_store(address) as store, told(address, PREFIX) as follower, store.leased(60) as lease:
        assert (await follower.some(2))[0] == Back()
        await lease.renewed(0)
        await lease.write({f"{PREFIX}a": b"1"})
        assert isinstance(await follower.next(), Put)
        await away(guarded.nodes[0].kill)
        await away(guarded.start)
        while not isinstance(await follower.next(), Back):
            pass
        await lease.write({f"{PREFIX}a": b"2"})
        assert isinstance(await follower.next(), Put)


@pytest.mark.slow
async def test_a_wrong_password_is_named_and_a_right_one_read(address: StoreAddress) -> None:
    """The file is read at each login."""
    assert address.password_file is not None
    async with a_store(address) as store:
        address.password_file.write_text("wrong")
        with pytest.raises(StoreError, match="authentication failed, invalid user ID or password; check `user`"):
            await store.get(f"{PREFIX}a")
        address.password_file.write_text("")
        with pytest.raises(StoreError, match=r"password_file: .* holds no password"):
            await store.get(f"{PREFIX}a")
        address.password_file.unlink()
        with pytest.raises(StoreError, match=r"password_file: cannot read .*No such file"):
            await store.get(f"{PREFIX}a")
        address.password_file.write_text(SECRET)
        await store.listed(PREFIX)


async def test_what_the_user_may_not_see_is_refused(address: StoreAddress) -> None:
    """The permission is named, and the wish for a login."""
    granted = "permission denied; grant it to a role of `user`, as `etcdctl role grant-permission ROLE"
    assert f"{granted} read /other`" in await fault(address, "/other")
    async with a_store(address) as store:
        with pytest.raises(StoreError, match=f"{granted} read --prefix=true /services/`$"):
            await store.listed("/services/")
        with pytest.raises(StoreError, match=f"{granted} readwrite /nodes/a`, or set `cluster.node`"):
            await store.check_writable("/nodes/a")
    assert "it wants a login: set `user`" in await fault(replace(address, user=None))


async def test_certificates_that_do_not_fit_are_named(guarded: Etcd, address: StoreAddress, tmp_path: Path) -> None:
    """With the file, and what to do."""
    assert guarded.certificates is not None
    named, stranger = guarded.certificates / "named", guarded.certificates / "stranger"
    ours = replace(address, certificate=named / "cert.pem", key=named / "key.pem")
    assert f"refuses our certificate {named / 'cert.pem'}, as it has a common name" in await fault(ours)
    ours = replace(address, certificate=stranger / "cert.pem", key=stranger / "key.pem")
    assert f"refuses our certificate {stranger / 'cert.pem'} (" in await fault(ours)
    assert "wants a certificate of ours" in await fault(replace(address, certificate=None, key=None))
    assert "name the one that signed it as tls.ca" in await fault(replace(address, ca=None))
    assert "holds no certificate in PEM form" in await fault(replace(address, ca=address.password_file))
    assert "cannot use" in await fault(replace(address, key=stranger / "key.pem"))
    assert f"tls.cert: cannot read {tmp_path / 'gone'}" in await fault(replace(address, certificate=tmp_path / "gone"))
    elsewhere = [url.replace("127.0.0.1", "localhost") for url in address.endpoints]
    assert "is for another host" in await fault(replace(address, endpoints=tuple(elsewhere)))
    plain = [url.replace("https:", "http:") for url in address.endpoints]
    assert "if it speaks TLS, write https://" in await fault(replace(address, endpoints=tuple(plain)))


async def test_certificates_are_read_again(guarded: Etcd, address: StoreAddress) -> None:
    """Those that were replaced count at the next connection."""
    assert guarded.certificates is not None
    assert address.certificate is not None
    assert address.key is not None
    good = address.certificate.read_bytes(), address.key.read_bytes()
    for name, path in ("cert.pem", address.certificate), ("key.pem", address.key):
        shutil.copy(guarded.certificates / "stranger" / name, path)
    async with a_store(address) as store, store.following(PREFIX) as changes:
        first = await anext(changes)
        assert "refuses our certificate" in getattr(first, "fault", "")
        address.certificate.write_bytes(good[0])
        address.key.write_bytes(good[1])
        while not isinstance(await anext(changes), Listed):
            pass


async def test_nothing_is_left_when_the_store_is_closed(guarded: Etcd, address: StoreAddress) -> None:
    """Not even a connection to a server that is frozen, which would wait for its farewell."""

    async def follow() -> None:
        async with told(address, PREFIX) as follower:
            await follower.some(2)
            await away(guarded.nodes[0].freeze)

    try:
        await away(uvloop.run, follow())  # it fails if something of it is open
    finally:
        guarded.nodes[0].thaw()


@pytest.mark.slow
async def test_a_store_without_users_takes_whoever_comes(tmp_path: Path) -> None:
    """As before `etcdctl auth enable`."""
    password = tmp_path / "password"
    password.write_text(SECRET)
    with etcd("3.5", tmp_path / "etcd", users=()) as server:
        address = StoreAddress(tuple(server.urls), user="hostwatch", password_file=password)
        async with a_store(address) as store:
            assert await store.listed(PREFIX) == ()
