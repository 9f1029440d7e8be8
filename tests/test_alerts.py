"""The alert rules: valid, and tested in such a way that a rule that never fires, or always does, is found."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.image import REPOSITORY, prometheus

SHIPPED = REPOSITORY / "config/prometheus"
RULES, TESTS = "hostwatch.rules.yaml", "hostwatch.rules.test.yaml"
(GROUP,) = yaml.safe_load((SHIPPED / RULES).read_text())["groups"]
ALERTS = [rule["alert"] for rule in GROUP["rules"]]


def promtool(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Debian's promtool."""
    command = [*prometheus("promtool"), *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


def test_the_shipped_files_are_valid_and_the_rules_pass_their_tests() -> None:
    """As an operator runs it."""
    for arguments in (("check", "rules", RULES), ("check", "config", "prometheus.yaml"), ("test", "rules", TESTS)):
        done = promtool(SHIPPED, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "SUCCESS" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("alert", ALERTS)
def test_a_rule_that_is_broken_fails_the_tests(alert: str, tmp_path: Path) -> None:
    """One that never fires, one that always does, one that fires at once, and one that waits for longer."""
    shutil.copy(SHIPPED / TESTS, tmp_path)
    (rule,) = [rule for rule in GROUP["rules"] if rule["alert"] == alert]
    broken = [rule | {"expr": f"({rule['expr']}) > 1e300"}, rule | {"expr": "vector(1)"}, rule | {"for": "10h"}]
    broken += [rule | {"for": "0s"}] if "for" in rule else []
    for each in broken:
        rules = [each if other is rule else other for other in GROUP["rules"]]
        (tmp_path / RULES).write_text(yaml.safe_dump({"groups": [GROUP | {"rules": rules}]}))
        done = promtool(tmp_path, "test", "rules", TESTS)
        assert done.returncode != 0, each
        assert alert in done.stdout + done.stderr


def test_each_rule_says_what_to_do() -> None:
    """A person reads it at three in the morning."""
    for rule in GROUP["rules"]:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert "$labels.instance" in rule["annotations"]["summary"], rule["alert"]
        assert "`" in rule["annotations"]["description"], rule["alert"]
