"""Whether the process has a small share of real-time, from the files of its control group."""

from pathlib import Path

import pytest

from hostwatch.priority import is_rationed


def machine(root: Path, groups: str, **shares: str) -> Path:
    """The root of a machine whose control groups have these shares of a second; `top` is the mount's own group."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, share in shares.items():
        group = root / "sys/fs/cgroup/cpu" / ("" if name == "top" else name)
        group.mkdir(parents=True, exist_ok=True)
        (group / "cpu.rt_runtime_us").write_text(f"{share}\n")
        (group / "cpu.rt_period_us").write_text("1000000\n")
    return root


@pytest.mark.parametrize(
    ("groups", "shares", "rationed"),
    [
        ("3:cpuset:/\n2:cpu,cpuacct:/docker/1234\n", {"top": "100000"}, True),  # in a container
        ("2:cpuacct,cpu:/\n", {"top": "950000"}, False),
        ("2:cpu:/own\n", {"top": "950000", "own": "100000"}, True),
        ("2:cpu:/own\n", {"top": "950000", "own": "600000"}, False),
        ("2:cpu:/own\n", {"top": "950000", "own": "0"}, False),  # none at all: the priority is refused
        ("2:cpu:/\n", {"top": "-1"}, False),  # no limit
        ("3:cpuset:/\n2:cpuacct:/\n", {"top": "100000"}, False),
        ("0::/system.slice\n", {}, False),  # version 2 divides no real-time
        ("", {}, False),
    ],
)
def test_a_share(tmp_path: Path, groups: str, shares: dict[str, str], *, rationed: bool) -> None:
    """Of the own group, as it is seen here."""
    assert is_rationed(machine(tmp_path, groups, **shares)) is rationed
