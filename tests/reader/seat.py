"""Where a reader types: a machine, and who they are there."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.booted import Machine

_VARIABLES = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TERM": "dumb",
    "TZ": "UTC",
}


@dataclass(frozen=True)
class Seat:
    """A user of a machine, root as a rule."""

    machine: Machine
    user: str = "root"
    directory: str = "/root/shop"
    """The one in which they begin."""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> str:
        """The user's home, in which the directory is."""
        return self.directory.rpartition("/")[0]

    def command(self, *command: str) -> list[str]:
        """The command line that runs a program as this user in the directory."""
        variables = {**_VARIABLES, **self.variables, "HOME": self.home}
        environ = ["env", "-i", *(f"{name}={value}" for name, value in variables.items())]
        into = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", self.directory]
        rights = (
            [] if self.user == "root" else ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"]
        )
        return self.machine.enter(*environ, *rights, *into, *command)
