"""Has apt resolve and download packages of another suite, without touching the machine's own packages."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.engine.machine import EngineError
from tests.engine.sources import debian_entry

_NO_NETWORK = """\
apt could not {action}. Does `apt-get update` work on this machine?
It must reach its Debian mirror (network, DNS, http_proxy), and the mirror must carry the suite {suite!r}.
{output}"""


def download(suite: str, packages: Sequence[str], scratch: Path) -> list[Path]:
    """These packages of a Debian suite and all they need, as files below `scratch`, beside those of earlier calls."""
    options = _configure(suite, scratch)
    _apt(suite, "read the list of packages", [*options, "update"])
    arguments = ["--yes", "--download-only", "--no-install-recommends", "install", *packages]
    _apt(suite, "download the packages", [*options, *arguments])
    return sorted((scratch / "cache" / "archives").glob("*.deb"))


def _configure(suite: str, scratch: Path) -> list[str]:
    """Options for an apt that knows one suite and believes that nothing is installed."""
    for directory in ("lists/partial", "cache/archives/partial", "parts"):
        (scratch / directory).mkdir(parents=True, exist_ok=True)
    (scratch / "status").touch()
    entry = debian_entry()
    (scratch / "parts" / f"debian.{entry.extension}").write_text(entry.template.replace("SUITE", suite))
    settings = {
        "Dir::State::lists": scratch / "lists",
        "Dir::State::status": scratch / "status",
        "Dir::Cache": scratch / "cache",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": scratch / "parts",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Acquire::Check-Valid-Until": "false",  # the Release file of a testing suite on a mirror may be stale
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "APT::Sandbox::User": "root",  # the cache need not be open to the user _apt
        "APT::Update::Error-Mode": "any",  # a mirror that cannot be reached is an error, not a warning
    }
    return [f"-o{name}={value}" for name, value in settings.items()]


def _apt(suite: str, action: str, arguments: Sequence[str]) -> None:
    done = subprocess.run(["apt-get", "-q", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        output = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
        raise EngineError(_NO_NETWORK.format(action=action, suite=suite, output=output))
