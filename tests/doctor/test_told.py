"""What the doctor says of files that the daemon does not keep, as the daemon itself tells them."""

from pathlib import Path

import anyio.to_thread

from hostwatch.control.reconcile.plan import File
from hostwatch.control.source import EngineInfo
from hostwatch.control.survey import FileReport
from hostwatch.core.block.records import Block
from hostwatch.core.model import FileKind
from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Level
from hostwatch.doctor.reachability import subscribers
from hostwatch.doctor.told import told_by_daemon
from hostwatch.hosts.lock import Holder
from tests.core.build import box, store
from tests.http.site import ENGINE, serving

DENIED = "/run/x: uid 0 cannot write; do this"


async def test_files_that_the_daemon_does_not_keep_are_problems(tmp_path: Path) -> None:
    """In its words, each once: where this command finds the same file at fault, its own words stand.

    Those that this command does not see are told, too, as the daemon may have another configuration.
    """
    (tmp_path / "hosts").touch()
    right, odd = box("right"), box("odd")
    reports = (
        FileReport(File(right, FileKind.HOSTS), tmp_path / "hosts", b"", b"", Block()),
        FileReport(File(odd, FileKind.HOSTS), tmp_path / "hosts", b"", b"", Block(), fault=OSError("mine; mend it")),
    )
    engine = EngineInfo(ENGINE, "28.5.2", "1.51", tmp_path)
    evidence = Evidence(engine, store(right, odd), reports, None, holder=Holder(is_hostwatch=True, pid=4711))

    async def asked() -> list[tuple[str, str]]:
        def found() -> list[tuple[str, str]]:
            findings = subscribers(evidence, told_by_daemon(evidence, tmp_path), visible=True)
            return [(each.what, each.remedy) for each in findings if each.level is Level.PROBLEM]

        return await anyio.to_thread.run_sync(found)

    own = ("odd: mine", "mend it")
    assert await asked() == [own]
    async with serving(tmp_path) as site:
        site.view.answer = {
            "subscribers": [
                {"id": right.key.id, "name": "right", "error": None, "resolv": {"error": DENIED}},
                {"id": odd.key.id, "name": "odd", "error": DENIED, "resolv": None},
                {"id": "file:/x", "name": "this-host", "error": "kept by another hostwatch"},
            ]
        }
        says = "the daemon (process 4711) says"
        assert await asked() == [
            own,
            (f"right: resolv.conf: {says}: /run/x: uid 0 cannot write", "do this"),
            (f"this-host: {says}: kept by another hostwatch", "its log has more"),
        ]
