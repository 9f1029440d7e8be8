"""The packages: the same bytes each time, whole, and installed as people install them."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from release.share import FILES
from tests import built as builds
from tests.pythons import SUITES, installed, python

BIN = Path(sys.executable).parent
WRITTEN = ("hostwatch.service", "hostwatch.yaml")
"""Files of `hostwatch/share` that a person writes."""

VALIDATE = """\
import pathlib, sys
sys.modules["rfc3987_syntax"] = None
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
sys.exit(JsonStrictValidator(SchemaVersion.V1_6).validate_str(pathlib.Path(sys.argv[1]).read_text()))
"""
"""Validates a bill but for the form of its addresses, which are those of its packages and take ten seconds."""

Installer = Callable[[Path, Path, Path], Path]
"""Installs a wheel for a Python below a directory; returns where its commands are."""


def run(*command: str | Path, cwd: Path | None = None, environ: dict[str, str] | None = None) -> str:
    """What a program says, which must end well."""
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | (environ or {}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def wheel(built: Path) -> Path:
    """The wheel."""
    return next(built.glob("*.whl"))


def packed(built: Path, name: str) -> str:
    """A text in the wheel."""
    with zipfile.ZipFile(wheel(built)) as archive:
        return archive.read(next(each for each in archive.namelist() if each.endswith(name))).decode()


def test_two_builds_are_the_same_bytes(built: Path, tmp_path: Path) -> None:
    """Neither the place of the clone counts, nor who may read its files, the machine's language or its time zone."""
    commit = builds.snapshot()
    environ = {"TZ": "Asia/Kathmandu", "LANG": "C", "LC_ALL": "C", "PYTHONHASHSEED": "17"}
    again = builds.make(commit, tmp_path / "elsewhere" / "hostwatch", tmp_path / "dist", umask=0o077, **environ)
    assert (again / "SHA256SUMS").read_text() == (built / "SHA256SUMS").read_text()
    assert "OK" in run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=built)
    listed = {line.split()[1] for line in (built / "SHA256SUMS").read_text().splitlines()}
    assert listed == {path.name for path in built.iterdir()} - {"SHA256SUMS"}


def test_an_index_takes_the_wheel_and_the_source(built: Path) -> None:
    """Their metadata is complete, and a page that shows the description shows it whole."""
    packages = [wheel(built), next(built.glob("*.tar.gz"))]
    run(sys.executable, "-m", "twine", "check", "--strict", *packages)
    run(BIN / "check-wheel-contents", packages[0])


def test_the_wheel_has_what_is_installed_beside_it(built: Path) -> None:
    """The unit, the sample, the schema, the manual page and completions are in `hostwatch/share`."""
    for name in (*WRITTEN, *FILES):
        assert packed(built, f"hostwatch/share/{name}"), name
    for name in WRITTEN:
        assert packed(built, f"hostwatch/share/{name}") == (builds.REPOSITORY / "config" / name).read_text()
    assert json.loads(packed(built, "hostwatch/share/schema.json"))["properties"]["services"]


def test_the_source_makes_the_same_wheel(built: Path, tmp_path: Path) -> None:
    """Who distributes hostwatch from its source has all that the wheel has."""
    run("tar", "--extract", "--file", next(built.glob("*.tar.gz")), "--directory", tmp_path)
    (source,) = tmp_path.iterdir()
    epoch = builds.git(builds.REPOSITORY, "show", "--no-patch", "--format=%ct", builds.snapshot())
    run(
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        cwd=source,
        environ={"SOURCE_DATE_EPOCH": epoch},
    )
    assert wheel(source / "dist").read_bytes() == wheel(built).read_bytes()


def test_the_bill_of_materials_tells_what_the_lock_pins(built: Path) -> None:
    """It is valid CycloneDX, and has a version and a license of each package."""
    text = next(built.glob("*.cdx.json")).read_text()
    bill = json.loads(text)
    lines = (builds.REPOSITORY / "requirements.txt").read_text().splitlines()
    pinned = dict(line.split()[0].split("==") for line in lines if "==" in line and not line.startswith(" "))
    found = {each["name"].lower().replace("_", "-"): each["version"] for each in bill["components"]}
    assert found == pinned
    assert [each["name"] for each in bill["components"] if not each.get("licenses")] == []
    assert bill["metadata"]["component"]["name"] == "hostwatch"
    run(sys.executable, "-c", VALIDATE, next(built.glob("*.cdx.json")))


def by_uv(package: Path, program: Path, directory: Path) -> Path:
    """`uv tool install`."""
    environ = {"UV_TOOL_DIR": str(directory / "tools"), "UV_TOOL_BIN_DIR": str(directory / "bin")}
    run(BIN / "uv", "tool", "install", "--quiet", "--python", program, package, environ=environ)
    return directory / "bin"


def by_pipx(package: Path, program: Path, directory: Path) -> Path:
    """`pipx install`, which runs pip."""
    environ = {"PIPX_HOME": str(directory / "pipx"), "PIPX_BIN_DIR": str(directory / "bin")}
    run(sys.executable, "-m", "pipx", "install", "--python", program, package, environ=environ)
    return directory / "bin"


INSTALLERS: dict[str, Installer] = {"uv": by_uv, "pipx": by_pipx}


@pytest.mark.parametrize(
    ("version", "installer"), [("3.11", "uv"), ("3.12", "uv"), ("3.13", "uv"), ("3.14", "uv"), ("3.14", "pipx")]
)
def test_it_is_installed_for_each_python(built: Path, version: str, installer: str, tmp_path: Path) -> None:
    """Both commands run, and the version is that of the package, with the commit that it was made from."""
    program = python(version) if version in SUITES else installed(version)
    if program is None:
        pytest.skip(f"Python {version} is in no Debian, and not on this machine")
    commands = INSTALLERS[installer](wheel(built), program, tmp_path)
    number = wheel(built).name.split("-")[1]
    assert run(commands / "hostwatch", "--version") == f"hostwatch {number} ({builds.snapshot()[:12]})\n"
    sample = tmp_path / "hostwatch.yaml"
    sample.write_text(packed(built, "hostwatch/share/hostwatch.yaml"))
    assert "valid" in run(commands / "hostwatch", "check", "-c", sample)
    metadata = run(commands / "docker-hostwatch", "docker-cli-plugin-metadata")
    assert json.loads(metadata)["Version"] == number
    run(commands / "hostwatch", "schema")
