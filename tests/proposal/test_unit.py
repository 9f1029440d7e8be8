"""The unit for a machine: what differs from the shipped one, and nothing else."""

import difflib
import os
from importlib.resources import files
from pathlib import Path

import pytest

from hostwatch.config.settings import Settings
from hostwatch.control.source import EngineInfo
from hostwatch.core.model import EngineId
from hostwatch.docker.connect import Connection, located_engine
from hostwatch.proposal.machine import Facts, facts
from hostwatch.proposal.unit import unit

SHIPPED = (files("hostwatch") / "share/hostwatch.service").read_text()
OPT = (Path("/opt/hostwatch"), Path("/usr"))


def made(
    root: str = "/var/lib/docker",
    host: str = "unix:///var/run/docker.sock",
    *,
    is_here: bool = True,
    is_podman: bool = False,
    command: tuple[str, ...] = ("/opt/hostwatch/bin/hostwatch", "run"),
    reads: tuple[Path, ...] = OPT,
    variables: dict[str, str] | None = None,
    settings: dict[str, object] | None = None,
) -> Facts:
    """The facts of a machine; without arguments of the one that the shipped unit is for."""
    socket = Path(host.removeprefix("unix://")) if host.startswith("unix://") else None
    directory = Path(root, "overlay-containers" if is_podman else "containers")
    read = Settings.model_validate(settings or {})
    return Facts(
        command,
        reads,
        f"engine 28.5.2 at {host}",
        Path(root),
        directory,
        is_here,
        socket,
        is_podman,
        variables or {},
        read,
    )


def changes(known: Facts) -> list[str]:
    """The lines of the unit that the shipped one does not have, and has. Comments and blank lines do not count."""
    old, new = (text.partition("[Unit]\n")[2].splitlines() for text in (SHIPPED, unit(known)))
    return [line for line in difflib.ndiff(old, new) if line[0] in "+-" and line[2:3] not in ("#", "")]


def test_the_usual_machine_has_the_shipped_unit() -> None:
    """Only the head is another."""
    assert changes(made()) == []
    text = unit(made())
    assert (
        "for this machine:\n# engine 28.5.2 at unix:///var/run/docker.sock, with its data in /var/lib/docker.\n" in text
    )
    assert "#   a subscriber `file:`    ReadWritePaths=/etc/hosts" in text
    assert "pip install" not in text
    assert text.endswith(SHIPPED.partition("[Unit]\n")[2])


def test_data_elsewhere() -> None:
    """A directory that the unit does not see is bound into it. Blanks and % are written as systemd reads them."""
    assert changes(made("/srv/my docker/100%")) == [
        "- RequiresMountsFor=/var/lib/docker",
        '+ RequiresMountsFor="/srv/my docker/100%%"',
        "- ReadWritePaths=/var/lib/docker/containers",
        '+ ReadWritePaths="/srv/my docker/100%%/containers"',
    ]
    hidden = changes(made("/home/me/docker", "unix:///run/user/1000/docker.sock"))
    assert "+ BindPaths=/home/me/docker/containers" in hidden
    assert "+ BindReadOnlyPaths=/run/user/1000" in hidden


def test_podman() -> None:
    """It starts after another unit, and its files are in the run root."""
    assert changes(made("/run/containers/storage", "unix:///run/podman/podman.sock", is_podman=True)) == [
        "- After=docker.service docker.socket",
        "- RequiresMountsFor=/var/lib/docker",
        "+ After=podman.service podman.socket",
        "+ RequiresMountsFor=/run/containers/storage",
        "- ReadWritePaths=/var/lib/docker/containers",
        "+ ReadWritePaths=/run/containers/storage/overlay-containers",
    ]


def test_a_program_in_a_home() -> None:
    """As pipx and uv install it."""
    home = Path("/root/.local/share/pipx/venvs/hostwatch")
    assert changes(made(command=(f"{home}/bin/hostwatch", "run"), reads=(home / "bin", home, Path("/usr")))) == [
        "- ExecStart=/opt/hostwatch/bin/hostwatch run",
        f"+ ExecStart={home}/bin/hostwatch run",
        f"+ BindReadOnlyPaths={home}",
    ]


def test_an_engine_elsewhere() -> None:
    """Nothing is written here, and the unit may reach the engine."""
    variables = {"DOCKER_HOST": "tcp://192.0.2.1:2376", "DOCKER_TLS_VERIFY": "1"}
    assert changes(made(host="tcp://192.0.2.1:2376", is_here=False, variables=variables)) == [
        "- RequiresMountsFor=/var/lib/docker",
        "+ RequiresMountsFor=",
        "- ReadWritePaths=/var/lib/docker/containers",
        "+ PrivateNetwork=no",
        "+ RestrictAddressFamilies=AF_INET AF_INET6",
        "+ IPAddressAllow=any",
        "+ Environment=DOCKER_HOST=tcp://192.0.2.1:2376",
        "+ Environment=DOCKER_TLS_VERIFY=1",
    ]


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (
            {"subscribers": {"h": {"file": "/etc/hosts", "services": "*", "notify": {"command": ["true"]}}}},
            ["ReadWritePaths=/etc/hosts", "SystemCallFilter=sched_setscheduler"],
        ),
        ({"subscribers": {"h": {"file": "/home/me/hosts", "services": "*"}}}, ["BindPaths=/home/me/hosts"]),
        (
            {"http": {"listen": "127.0.0.1:9464"}},
            ["PrivateNetwork=no", "RestrictAddressFamilies=AF_INET AF_INET6", "IPAddressAllow=localhost"],
        ),
        ({"http": {"listen": "unix:///run/hostwatch/http.sock"}}, []),
        ({"advertise": "auto"}, ["PrivateNetwork=no", "RestrictAddressFamilies=AF_NETLINK"]),
        (
            {"history": {"file": "/var/lib/hostwatch/history.db"}, "log": {"file": "/srv/log/hostwatch"}},
            ["StateDirectory=hostwatch", "StateDirectoryMode=0700", "ReadWritePaths=/srv/log"],
        ),
        ({"log": {"file": "/var/log/hostwatch/hostwatch.log"}}, []),
        (
            {"services": {"db": {"from": {"consul": "http://192.168.0.1:8500", "service": "db"}}}},
            [
                "PrivateNetwork=no",
                "RestrictAddressFamilies=AF_INET AF_INET6",
                "IPAddressAllow=localhost 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7",
            ],
        ),
    ],
)
def test_what_the_configuration_needs(settings: dict[str, object], lines: list[str]) -> None:
    """As in the drop-ins of `config/`."""
    assert changes(made(settings=settings)) == [f"+ {line}" for line in lines]


def found(
    connection: Connection, file: Path | None = None, given: str | None = None, settings: Settings | None = None
) -> Facts:
    """What is found of this machine."""
    engine = EngineInfo(EngineId("x"), "28.5.2", "1.51", Path("/var/lib/docker"))
    return facts(settings or Settings(), file, given, connection, engine)


def test_the_engine_of_a_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon has neither the variables nor the context of this user. The configuration says it to both."""
    for name in filter(lambda name: name.startswith("DOCKER_"), [*os.environ]):
        monkeypatch.delenv(name)
    usual = found(located_engine(None, {}))
    assert usual.command[-1] == "run"
    assert "--docker-host" not in usual.command
    other = "unix:///run/other.sock"
    assert found(located_engine(other, {})).command[-3:] == ("--docker-host", other, "run")
    configured = Settings.model_validate({"docker": {"host": other}})
    assert "--docker-host" not in found(located_engine(other, {}), settings=configured).command
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    far = found(located_engine(None, {"DOCKER_HOST": "tcp://192.0.2.1:2375"}))
    assert (far.variables, far.socket, "--docker-host" in far.command) == (
        {"DOCKER_HOST": "tcp://192.0.2.1:2375"},
        None,
        False,
    )
    given = found(located_engine("tcp://192.0.2.7:2375", {}), given="tcp://192.0.2.7:2375")
    assert given.command[-3:] == ("--docker-host", "tcp://192.0.2.7:2375", "run")


def test_the_configuration_is_named_unless_it_is_the_usual_one(tmp_path: Path) -> None:
    """Its directory must be seen."""
    connection = located_engine(None, {})
    assert "-c" not in found(connection, Path("/etc/hostwatch/hostwatch.yaml")).command
    other = found(connection, tmp_path / "x.yaml")
    assert other.command[-3:] == ("-c", str(tmp_path / "x.yaml"), "run")
    assert tmp_path in other.reads
