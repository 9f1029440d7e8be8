"""`make demo`, as the README has a newcomer type it first; its environment is the one of the tests."""

import re
import subprocess
import sys

from tests.image import REPOSITORY
from tests.noise import crowd

_MODULE = "tests.demo"
_SHOWN = re.compile(r">>> (?:before|after): the database is at (\S+)\n((?: .*\n)+)")


def test_it_shows_both_files_before_and_after() -> None:
    typed = ["make", "--no-print-directory", "--dry-run", "demo"]
    recipe = subprocess.check_output(typed, cwd=REPOSITORY, text=True)
    assert recipe.splitlines()[-1].endswith(f"python -m {_MODULE}")
    done = subprocess.run(
        [sys.executable, "-m", _MODULE],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60 * crowd(),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    before, after = _SHOWN.findall(done.stdout)
    assert before[0] != after[0]
    for address, files in (before, after):
        assert re.findall(r"\S+:/etc/hosts", files) == ["web-1:/etc/hosts", "web-2:/etc/hosts"]
        assert re.findall(r"(\S+) +db\n", files) == [address, address]
