"""What the doctor says of the sources that a daemon does not hear, as the daemon itself tells them."""

from dataclasses import replace
from pathlib import Path

import anyio.to_thread

from hostwatch.control.remotes import SourceState
from hostwatch.control.source import EngineInfo
from hostwatch.core.rules import Rules
from hostwatch.core.store.store import Store
from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, Level
from hostwatch.doctor.sources import of_sources, sources
from hostwatch.doctor.told import told_by_daemon
from hostwatch.hosts.lock import Holder
from tests.http.site import ENGINE, serving

HEARD = {"source": "cluster", "kind": "cluster", "up": True, "fault": None}
LOST = {**HEARD, "up": False, "fault": "http://10.0.0.1:2379 is not reached (Operation not permitted); look at routes"}
OVERLAY = {"source": "overlay:mesh", "kind": "overlay", "up": False, "fault": "no other node is heard; see whether"}


def evidence(heard: SourceState | None = None, *, is_hostwatch: bool = True) -> Evidence:
    """An engine whose files a process keeps; `heard` is what the command itself hears of an overlay network."""
    engine = EngineInfo(ENGINE, "28.5.2", "1.51", Path("/nowhere"))
    return Evidence(
        engine,
        Store(Rules()),
        (),
        None,
        holder=Holder(is_hostwatch, 4711),
        heard={} if heard is None else {"overlay:mesh": heard},
    )


def test_what_a_daemon_does_not_hear_is_a_problem() -> None:
    """Its sandbox may be the reason, unless the engine tells: that it has to reach in any case."""
    lost, overlay = of_sources([HEARD, LOST, OVERLAY, {**HEARD, "up": None}], "the daemon (process 4711)")
    assert lost == Finding(
        Level.PROBLEM,
        "cluster: the daemon (process 4711) does not hear it: http://10.0.0.1:2379 is not reached (Operation not"
        " permitted)",
        "look at routes; if it is reached from here, the daemon's sandbox is in the way: `IPAddressAllow` of"
        " config/hostwatch.service.d/cluster.conf needs the servers",
    )
    assert (overlay.what, overlay.remedy) == (
        "overlay:mesh: the daemon (process 4711) does not hear it: no other node is heard",
        "see whether",
    )


async def test_the_daemon_is_asked_at_its_control_socket(tmp_path: Path) -> None:
    """Only a hostwatch, and only where it has one."""
    async with serving(tmp_path) as site:
        site.view.answer = {"sources": [LOST]}
        (finding,) = await asked(evidence(), tmp_path)
        assert finding.level is Level.PROBLEM
        assert await asked(evidence(is_hostwatch=False), tmp_path) == []
        assert await asked(evidence(), tmp_path / "nowhere") == []
        site.view.answer = {}  # of an earlier version
        assert await asked(evidence(), tmp_path) == []


async def test_without_a_daemon_what_the_command_hears_itself_counts(tmp_path: Path) -> None:
    """Of overlay networks, which each command asks the engine about. A daemon knows more: what it heard before."""
    up = SourceState("overlay", "mesh", is_up=True, since=0.0, endpoints=3)
    lost = replace(up, is_up=False, fault="no other node has been heard yet; see whether others run")
    alone = Finding(Level.PROBLEM, "overlay:mesh: no other node has been heard yet", "see whether others run")
    fine = Finding(Level.OK, "overlay:mesh: the swarm's gossip is heard; it tells of addresses: 3")
    nowhere = tmp_path / "nowhere"
    assert (await asked(evidence(lost), nowhere), await asked(evidence(up), nowhere)) == ([alone], [fine])
    async with serving(tmp_path) as site:
        site.view.answer = {"sources": [OVERLAY]}
        for heard in (lost, up):
            (finding,) = await asked(evidence(heard), tmp_path)
            assert finding.what.startswith("overlay:mesh: the daemon (process 4711) does not hear it")
        site.view.answer = {"sources": [{**OVERLAY, "up": True, "fault": None}]}
        assert (await asked(evidence(lost), tmp_path), await asked(evidence(up), tmp_path)) == ([], [fine])


async def asked(known: Evidence, directory: Path) -> list[Finding]:
    """The findings of the daemon with a control socket in a directory."""
    return await anyio.to_thread.run_sync(lambda: [*sources(known, told_by_daemon(known, directory))])
