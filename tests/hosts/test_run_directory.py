"""Where a user's daemons and commands meet."""

import pytest

from hostwatch.hosts.run_directory import run_directory

ROOT, USER = 0, 1000


@pytest.mark.parametrize(
    ("user", "runtime", "place"),
    [
        (ROOT, None, "/run/hostwatch"),
        (ROOT, "/run/user/0", "/run/hostwatch"),  # else a root who logs in would not find the unit's daemon
        (USER, "/run/user/1000", "/run/user/1000/hostwatch"),
        (USER, None, "/run/hostwatch"),
        (USER, "", "/run/hostwatch"),
        (USER, "run", "/run/hostwatch"),
    ],
)
def test_a_user_has_a_directory_of_their_own(user: int, runtime: str | None, place: str) -> None:
    environ = {} if runtime is None else {"XDG_RUNTIME_DIR": runtime}
    assert str(run_directory(user, environ)) == place
