"""Which daemon a command asks while the engine is away."""

from pathlib import Path

import pytest

from hostwatch.cli import asking
from hostwatch.cli.options import Common
from hostwatch.config.settings import Settings
from tests.docker.test_connect import endpoint, make_context, use

AWAY = "unix:///no/such.sock"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only control socket of a machine whose user has an engine in the current docker context, which is away."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    make_context(tmp_path, "away", endpoint(AWAY))
    use(tmp_path, "away")
    made = tmp_path / "run" / "0123456789ab.sock"
    made.parent.mkdir()
    made.touch()
    monkeypatch.setattr(asking, "RUN", made.parent)
    return made


def asked(option: str | None = None, file: str | None = None) -> Path | None:
    """The control socket that is asked, if the user and the configuration name the engine so."""
    settings = Settings.model_validate({"docker": {"host": file}} if file is not None else {})
    daemon = asking.daemon_with(Common(None, option, None, None), settings)
    return daemon.place if daemon is not None else None


def test_the_only_daemon_answers_for_an_engine_that_nobody_named(place: Path) -> None:
    """It is known which engine is used here, and its daemon is the only one."""
    assert asked() == place


@pytest.mark.parametrize("by", ["--docker-host", "docker.host", "DOCKER_HOST", "DOCKER_CONTEXT"])
def test_no_other_daemon_answers_for_an_engine_that_is_named(
    place: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """The only daemon here may keep the files of another one."""
    if by.startswith("DOCKER_"):
        monkeypatch.setenv(by, AWAY if by == "DOCKER_HOST" else "away")
    assert place.exists()
    assert asked(AWAY if by == "--docker-host" else None, AWAY if by == "docker.host" else None) is None
