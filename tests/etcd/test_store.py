"""Keys, leases and changes of a real etcd of each version."""

import uuid

import anyio
import pytest

from hostwatch.control.key_values import (
    VALUE_LIMIT,
    Back,
    Deleted,
    Entry,
    LeaseLostError,
    Listed,
    Put,
    StoreAddress,
    StoreError,
)
from tests.etcd.told import a_store, away, told
from tests.servers import ETCDS, Etcd


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test has used."""
    return f"/{uuid.uuid4().hex}/"


@pytest.fixture
def address(server: Etcd) -> StoreAddress:
    """The way to the server."""
    return StoreAddress(tuple(server.urls))


async def test_a_follower_is_told_a_list_then_each_change(server: Etcd, address: StoreAddress, prefix: str) -> None:
    """Only of its prefix, and in order."""
    revision = server.put(f"{prefix}a", "1")
    server.put(f"{prefix[:-1]}0", "the first key that comes after the prefix")
    async with told(address, prefix) as follower:
        assert await follower.some(2) == [Back(), Listed((Entry(f"{prefix}a", b"1", revision),))]
        revision = await away(server.put, f"{prefix}b", "2")
        await away(server.put, f"{prefix[:-1]}0", "again")
        await away(server.delete, f"{prefix}a")
        assert await follower.some(2) == [Put(Entry(f"{prefix}b", b"2", revision)), Deleted(f"{prefix}a")]


async def test_long_lists_and_values_are_taken_in_pages(server: Etcd, address: StoreAddress, prefix: str) -> None:
    """A value over the limit is known by its key alone; one over the limit of an answer, too."""
    async with a_store(address) as store:
        async with store.leased(60) as lease:
            await lease.renewed(0)
            await lease.write({f"{prefix}many/{number:03}": b"x" for number in range(300)})
            await lease.write({f"{prefix}long/{number:03}": b"y" * VALUE_LIMIT for number in range(20)})
            await lease.write({f"{prefix}over": b"z" * (VALUE_LIMIT + 1)})
            for number in range(2):
                await away(server.put, f"{prefix}far-over/{number}", "z" * 1_200_000)
        found = {entry.key.removeprefix(prefix): entry.value for entry in await store.listed(prefix)}
        assert len(found) == 323
        assert found["many/299"] == b"x"
        assert found["long/019"] == b"y" * VALUE_LIMIT
        assert found["over"] is None
        assert found["far-over/0"] is found["far-over/1"] is None


async def test_changes_of_any_length_are_told(address: StoreAddress, prefix: str) -> None:
    """Those of one transaction come together, although they are told in fragments."""
    async with a_store(address) as store, store.leased(60) as lease, store.following(prefix) as changes:
        assert isinstance(await anext(changes), Back)
        assert await anext(changes) == Listed(())
        await lease.renewed(0)
        values = {f"{prefix}{number:03}": b"y" * (VALUE_LIMIT - number % 2) for number in range(60)}
        await lease.write({**values, f"{prefix}over": b"z" * (VALUE_LIMIT + 1)})
        seen = [await anext(changes) for _ in range(61)]
        assert {each.entry.key: each.entry.value for each in seen if isinstance(each, Put)} == {
            **values,
            f"{prefix}over": None,
        }
        await lease.write({}, list(values))
        gone = [await anext(changes) for _ in range(60)]
        assert {each.key for each in gone if isinstance(each, Deleted)} == values.keys()


async def test_a_key_is_claimed_once(address: StoreAddress, prefix: str) -> None:
    """Whoever has seen its entry may take it over."""
    key = f"{prefix}node"
    async with a_store(address) as store, store.leased(60) as ours, store.leased(60) as theirs:
        with pytest.raises(LeaseLostError, match="no lease is held now"):
            await ours.claim(key, b"ours", None)
        await ours.renewed(0)
        await theirs.renewed(0)
        assert await ours.claim(key, b"ours", None) is None
        assert await ours.claim(key, b"ours", None) is None  # as after an answer that was lost
        found = await theirs.claim(key, b"theirs", None)
        assert found is not None
        assert (found, found.value, found.lease) == (await store.get(key), b"ours", ours.id)
        assert await theirs.claim(key, b"theirs", found) is None
        assert await ours.claim(key, b"ours", found) == await store.get(key)
        await theirs.revoke()
        assert await ours.claim(key, b"ours", found) is None  # what was seen is gone
        with pytest.raises(LeaseLostError):
            await theirs.write({key: b"theirs"})


@pytest.mark.slow
@pytest.mark.parametrize("server", ETCDS[-1:], indirect=True)
async def test_a_lease_is_kept_and_granted_anew(server: Etcd, address: StoreAddress, prefix: str) -> None:
    """Its owner is told, as its keys are gone."""
    key = f"{prefix}key"
    async with a_store(address) as store:
        async with store.leased(1) as lease, told(address, prefix) as follower:
            term = await lease.renewed(0)
            first = lease.id
            assert await follower.some(2) == [Back(), Listed(())]
            await lease.write({key: b"1"})
            assert isinstance(await follower.next(), Put)
            await away(server.call, "lease/revoke", {"ID": str(first)})
            with pytest.raises(LeaseLostError, match="it has run out"):
                await lease.write({key: b"2"})
            assert await lease.renewed(term) == term + 1
            await lease.write({key: b"3"})
            assert [type(each) for each in await follower.some(2)] == [Deleted, Put]
            await anyio.sleep(1.5)
            assert isinstance(await store.get(key), Entry)
            await away(server.call, "lease/revoke", {"ID": str(lease.id)})
            assert await lease.renewed(term + 1) == term + 2  # by its next renewal
            await lease.write({key: b"4"})
            assert [type(each) for each in await follower.some(2)] == [Deleted, Put]
            assert lease.fault == ""
            last = lease.id
        async with store.leased(1, known=last) as lease:
            await lease.renewed(0)
            assert lease.id == last  # taken over, as it was kept
        async with store.leased(60, known=last) as lease:
            await lease.renewed(0)
            assert lease.id != last  # of another time
        async with told(address, prefix) as follower:
            assert isinstance((await follower.some(2))[1], Listed)
            assert await follower.next() == Deleted(key)  # it ran out by itself


async def test_a_refusal_has_the_servers_reason(address: StoreAddress) -> None:
    """Nothing else is tried."""
    async with a_store(address) as store, store.leased(60) as lease:
        await lease.renewed(0)
        with pytest.raises(StoreError, match=r"etcdserver: key is not provided"):
            await lease.write({"": b"a key cannot be empty"})
