"""The options of the docker command that are taken over by its plugin."""

import json
import subprocess
import sys

import pytest

from hostwatch.docker_plugin import PluginError, translated


@pytest.mark.parametrize(
    ("given", "own", "environ"),
    [
        (["hostwatch", "status", "--json"], ["status", "--json"], {}),
        (["hostwatch"], [], {}),
        (["-H", "tcp://h:1", "hostwatch", "why", "web"], ["--docker-host", "tcp://h:1", "why", "web"], {}),
        (["--host=tcp://h:1", "hostwatch", "plan"], ["--docker-host", "tcp://h:1", "plan"], {}),
        (["-c", "prod", "hostwatch", "-c", "x.yaml", "plan"], ["-c", "x.yaml", "plan"], {"DOCKER_CONTEXT": "prod"}),
        (["--context=prod", "hostwatch", "plan"], ["plan"], {"DOCKER_CONTEXT": "prod"}),
        (["--config", "/c", "-D", "-l", "debug", "hostwatch", "plan"], ["plan"], {"DOCKER_CONFIG": "/c"}),
        (["--tlsverify", "hostwatch", "plan"], ["plan"], {"DOCKER_TLS_VERIFY": "1"}),
        (["--tlsverify=false", "hostwatch", "plan"], ["plan"], {"DOCKER_TLS_VERIFY": ""}),
        (
            ["--tlscacert=/c/ca.pem", "--tlscert", "/c/cert.pem", "--tlskey", "/c/key.pem", "hostwatch", "plan"],
            ["plan"],
            {"DOCKER_CERT_PATH": "/c"},
        ),
    ],
)
def test_its_options_decide_which_engine_is_meant(given: list[str], own: list[str], environ: dict[str, str]) -> None:
    found: dict[str, str] = {}
    assert translated(given, found) == own
    assert found == environ


def test_a_context_comes_before_an_address_in_the_environment() -> None:
    environ = {"DOCKER_HOST": "tcp://other:1"}
    translated(["--context", "prod", "hostwatch", "plan"], environ)
    assert environ == {"DOCKER_CONTEXT": "prod"}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], "write `docker hostwatch COMMAND`"),
        (["status"], "the option status of the docker command has no value"),
        (["--host"], "--host of the docker command has no value"),
        (["--new", "x", "hostwatch", "plan"], "--new of the docker command is not known"),
        (["--tlscert", "/c/mine.pem", "hostwatch", "plan"], "rename it"),
        (["--tlscert=/c/cert.pem", "--tlskey=/d/key.pem", "hostwatch", "plan"], "of one directory"),
    ],
)
def test_what_cannot_be_taken_over_is_said(given: list[str], reason: str) -> None:
    with pytest.raises(PluginError, match=reason):
        translated(given, {})


def test_it_says_what_it_is_without_loading_the_commands() -> None:
    """The docker command asks each of its plugins, for its own help too."""
    code = (
        "import sys; from hostwatch import docker_plugin; sys.argv[1:] = ['docker-cli-plugin-metadata'];"
        "docker_plugin.main(); assert 'hostwatch.cli' not in sys.modules"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60).stdout
    assert json.loads(output)["SchemaVersion"] == "0.1.0"
