"""Ways to notify an application that its records have changed: a signal, a command in its container, or a restart.

For a file on the host it is a command on the host. Only the configuration can request that.
"""

import shlex
import signal
from dataclasses import dataclass

from hostwatch.core.names import shown

_SIGNALS = frozenset(known.name for known in signal.Signals)


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal to the first process of the container."""

    name: str
    """The form that the engine takes: `SIGHUP`."""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Exec:
    """A command in the container, as its own user."""

    command: tuple[str, ...]

    def __str__(self) -> str:
        return f"exec: {shown(shlex.join(self.command))}"


@dataclass(frozen=True, slots=True)
class Restart:
    """A restart of the container."""

    def __str__(self) -> str:
        return "restart"


@dataclass(frozen=True, slots=True)
class HostCommand:
    """A command on the host, for one of its files."""

    command: tuple[str, ...]

    def __str__(self) -> str:
        return f"command: {shown(shlex.join(self.command))}"


Notification = Signal | Exec | Restart | HostCommand


def signal_named(text: str) -> Signal:
    """The signal of that name, with or without `SIG`. Raises `ValueError` with an example that is right."""
    name = text.strip().upper()
    name = name if name.startswith("SIG") else f"SIG{name}"
    if name not in _SIGNALS:
        raise ValueError("no such signal; write its name, as in SIGHUP")
    return Signal(name)


def command_of(words: tuple[str, ...]) -> Exec:
    """The command of these words. Raises `ValueError` with an example that is right."""
    if not words or not words[0]:
        raise ValueError("no command; write one, as in nginx -s reload")
    if any("\0" in word for word in words):
        raise ValueError("a command cannot hold a NUL character")
    return Exec(words)


def notification_of_label(text: str) -> Notification:
    """The notification that a label requests: `SIGHUP`, `restart`, or `exec: nginx -s reload`. Raises `ValueError`."""
    kind, colon, rest = text.strip().partition(":")
    if colon and kind.strip() == "exec":
        try:
            words = shlex.split(rest)
        except ValueError as error:
            raise ValueError(f"not a command ({error}); quote it as for a shell") from None
        return command_of(tuple(words))
    if text.strip() == "restart":
        return Restart()
    try:
        return signal_named(text)
    except ValueError:
        raise ValueError("neither a signal (SIGHUP), nor restart, nor a command (exec: nginx -s reload)") from None
