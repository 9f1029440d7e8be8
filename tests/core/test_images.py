"""Names of images: the forms that Docker reads as one image, and the meaning of a glob."""

import pytest

from hostwatch.core.rules import Match
from tests.core.build import box

FULL = "docker.io/library/mariadb:latest"
ID = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("glob", "image", "holds"),
    [
        *((glob, image, True) for glob in ("mariadb", "mariadb:latest", FULL) for image in ("mariadb", FULL)),
        ("mariadb:*", "mariadb", True),
        ("mariadb:*", "docker.io/library/mariadb:11", True),
        ("library/mariadb", "index.docker.io/mariadb:11", True),
        ("mariadb:11", f"mariadb:11@{ID}", True),
        ("mariadb", f"mariadb@{ID}", True),
        (f"*@{ID}", f"mariadb:11@{ID}", True),
        ("mariadb:latest", f"mariadb@{ID}", False),
        ("mariadb:10", "mariadb:11", False),
        ("mariadb", "mariadb-backup:1", False),
        ("mariadb*", "mariadb-backup:1", True),
        ("mariadb", "team/mariadb", False),
        ("team/*", "docker.io/team/app:1", True),
        ("docker.io/team/*", "team/app", True),
        ("*mariadb*", "ghcr.io/team/mariadb:11", True),
        ("mariadb", "ghcr.io/library/mariadb", False),
        ("localhost:5000/app", "localhost:5000/app:2", True),
        ("localhost:5000/app:1", "localhost:5000/app:2", False),
        ("localhost/app", "localhost/app:latest", True),
        ("app", "localhost/app", False),
        ("app:[0-9]*", "app:12", True),
        (ID, ID, True),
        ("mariadb", ID, False),
        ("*", "", True),
        ("mariadb", "", False),
    ],
)
def test_a_glob_matches_every_form_that_docker_reads_as_one(glob: str, image: str, holds: bool) -> None:
    """Registry, repository and tag have their defaults; a glob without a tag means any tag or digest."""
    assert Match(image=(glob,)).holds(box("db", image=image)) is holds
