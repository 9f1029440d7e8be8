"""The settings of a notification of an application after a change of its records."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from hostwatch.config.section import OrType, Section
from hostwatch.config.values import CommandWords, SignalName
from hostwatch.core.notifications import (
    Exec,
    HostCommand,
    Notification,
    Restart,
    Signal,
    notification_of_label,
    signal_named,
)


class NotifySettings(Section):
    """The notification of an application after a change of its records: one of these."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    signal: SignalName | None = Field(None, description="A signal to the container's first process, as in SIGHUP.")
    exec: CommandWords | None = Field(
        None, description="A command in the container, a list of words, as in [nginx, -s, reload]."
    )
    restart: Literal[True] | None = Field(None, description="true: restart the container.")
    command: CommandWords | None = Field(
        None,
        description="For a subscriber `file:` alone: a command on the host, a list of words, as in [systemctl, reload, "
        "dnsmasq]. It is run without a shell, as hostwatch's own user, and ended after ten seconds.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> "NotifySettings":
        if len(self.model_fields_set) != 1:
            raise ValueError("must have just one of the keys signal, exec, restart, command")
        return self

    def notification(self) -> Notification:
        """The notification of the core for these settings."""
        if self.signal is not None:
            return signal_named(self.signal)
        if self.command is not None:
            return HostCommand(self.command)
        return Exec(self.exec) if self.exec is not None else Restart()


def _notify_form(value: object) -> object:
    """The settings for a text in the form of the label; any other value unchanged."""
    if not isinstance(value, str):
        return value
    match notification_of_label(value):
        case Signal(name):
            return NotifySettings(signal=name)
        case Exec(command):
            return NotifySettings.model_validate({"exec": [*command]})
        case _:
            return NotifySettings(restart=True)


Notify = Annotated[NotifySettings | None, BeforeValidator(_notify_form), OrType("string")]
"""A notification as a mapping, or in the form of its label."""
