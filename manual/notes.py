"""What is said of each command beside its help: its exit statuses, an example, and the page that tells more."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """What is said of a command."""

    statuses: Mapping[int, str]
    """The exit statuses of its own; those of every command are told once."""
    example: str
    """A command line."""
    purpose: str
    """What the example does, as in "stop the test where a file would change"."""
    more: str = ""
    """The page of the documentation that tells more, below `docs`."""


NOTES: Mapping[str, Note] = {
    "run": Note(
        {0: "after SIGTERM or SIGINT", 1: "it cannot go on; a service manager starts it again"},
        "hostwatch run --http-listen 127.0.0.1:9464",
        "the daemon, which also answers by HTTP",
        "how-to/monitoring.md",
    ),
    "sync": Note(
        {0: "every file is right", 1: "some file could not be brought right, or a daemon runs"},
        "hostwatch sync",
        "once, from a timer or a script, where no daemon runs",
    ),
    "plan": Note(
        {0: "it has looked, whatever it found", 3: "with --exit-code: something would change"},
        "hostwatch plan -c new.yaml",
        "what another configuration would change",
    ),
    "status": Note(
        {0: "it has looked, whatever it found", 1: "there is no such SUBSCRIBER"},
        "hostwatch status shop-web-1",
        "the lines of one container, and those that are withheld",
    ),
    "why": Note(
        {0: "it has told", 1: "there is no such SUBSCRIBER or NAME"},
        "hostwatch why shop-web-1 db",
        "why the name db has this address in that container, or none",
        "how-to/why.md",
    ),
    "history": Note(
        {0: "it has told", 1: "no daemon runs, and no file has the history"},
        "hostwatch history shop-web-1 --name db --since 1h",
        "the moves of one name in the last hour",
        "how-to/history.md",
    ),
    "check": Note(
        {0: "the configuration is valid, perhaps with warnings", 2: "it is not valid"},
        "hostwatch check -c new.yaml",
        "find the faults of a configuration before it is used",
    ),
    "init": Note(
        {0: "it was written, or printed", 1: "the file is there already, or it cannot be written"},
        "hostwatch init",
        "write a first configuration for what runs here now",
    ),
    "clean": Note(
        {
            0: "no block is left in these files. The configuration that counts is that of this command: give `-c` or"
            " `$HOSTWATCH_CONFIG` again if the daemon had it, as by `Environment=` of the unit",
            1: "one could not be removed, or a daemon runs, which would put them back",
        },
        "hostwatch clean",
        "take every line of hostwatch out again, after the daemon was stopped",
    ),
    "doctor": Note(
        {0: "no problem; there may be warnings", 1: "a problem"},
        "hostwatch doctor",
        "what prevents hostwatch from working here, each with its remedy",
    ),
    "schema": Note({}, "hostwatch schema > hostwatch.schema.json", "have an editor complete and check the keys"),
    "health": Note(
        {0: "every daemon is ready, or in standby", 1: "one is not, or none answers"},
        "hostwatch health",
        "what a container's HEALTHCHECK runs",
        "reference/http.md",
    ),
}

STATUSES: Mapping[int, str] = {
    0: "it has done what was asked",
    1: "it could not; the message on standard error says why. Without a message: the reader of a pipe has gone, or a"
    " disk is full",
    2: "the command line or the configuration is wrong",
}
"""The exit statuses of every command."""

VARIABLES: Mapping[str, str] = {
    "HOSTWATCH_CONFIG": "The configuration file. -c comes before it.",
    "HOSTWATCH_DOCKER_HOST": "The engine. --docker-host comes before it, and it comes before docker.host of the "
    "configuration.",
    "HOSTWATCH_LOG_LEVEL": "The least level that is logged. --log-level comes before it, and it before log.level.",
    "HOSTWATCH_LOG_FORMAT": "human or json. --log-format comes before it, and it before log.format.",
    "HOSTWATCH_HTTP_LISTEN": "Where `run` answers by HTTP. --http-listen comes before it, and it before http.listen.",
    "DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG, DOCKER_TLS_VERIFY, DOCKER_TLS, DOCKER_CERT_PATH": "The engine, as for "
    "the docker command, where neither an option, a variable above nor the configuration names one.",
    "NO_COLOR": "Not empty: no colours on a terminal. TERM=dumb does the same.",
}
"""The variables of the environment."""

FILES: Mapping[str, str] = {
    "/etc/hostwatch/hostwatch.yaml": "The configuration, where neither -c nor $HOSTWATCH_CONFIG names another. Without "
    "it the labels of containers alone count.",
    "/run/hostwatch/ENGINE.sock": "The control socket of a running daemon, with the first 12 characters of the engine's"
    " id. `status`, `why`, `history` and `health` ask it. For another user than root, /run/hostwatch is "
    "$XDG_RUNTIME_DIR/hostwatch.",
    "/run/hostwatch/*.lock": "The locks of files of the host: one daemon keeps each.",
    "/var/lib/hostwatch/history.db": "The usual place of the history, where history.file asks for one.",
}
"""The files that it uses."""

SIGNALS: Mapping[str, str] = {
    "SIGTERM, SIGINT": "End in order within five seconds; the second one: end at once. The lines stay, except with "
    "`on_exit: remove`.",
    "SIGHUP": "Read the configuration again. A faulty one is reported, and the old one stays.",
}
"""The signals that the daemon heeds."""
