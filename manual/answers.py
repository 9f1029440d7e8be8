"""The JSON of `status`, `why`, `history` and `plan`, as models: their schemas and what is said of each field.

The program makes its answers without them. The tests of the commands hold each answer against them, so a field that is
made and not told fails there.
"""

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A part of an answer. No field is left out, and none is beyond these."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Elsewhere(Part):
    """What another host has."""

    host: str | None = Field(description="The host's name; `null`: not known.")
    source: str = Field(description="Who tells it: `cluster`, `overlay:NETWORK` or `catalog:SERVICE`.")
    as_last_known: bool = Field(description="Whether that host is cut off, so that this is what it told last.")


class Origin(Part):
    """Where a line of a file comes from."""

    origin: str | None = Field(
        description="Who asks for it: `hostwatch.yaml:14`, or `label hostwatch.hosts of shop-web-1`."
    )
    service: str | None = Field(description="The service that was found; `null` for a fixed address.")
    tier: Literal["self", "config", "compose", "container", "alias", "label", "overlay", "cluster"] | None = Field(
        description="The tier in which it was found ([tiers](references.md#what-name-means))."
    )
    container: str | None = Field(description="The name of the container behind the service.")
    network: str | None = Field(description="The network on which it has the address.")
    elsewhere: Elsewhere | None = Field(description="Where it is, if another host has it; else `null`.")
    since: str | None = Field(description="Since when the line is so; `null` where no daemon runs, or it is not known.")


class Record(Origin):
    """A line of a hosts file."""

    address: str = Field(description="The address.")
    names: list[str] = Field(description="The names, in the file's order.")


class ResolvLine(Origin):
    """A line of a resolv.conf."""

    line: str = Field(description="The line, as in `nameserver 10.123.7.1`.")


class Withheld(Part):
    """A line that is left out."""

    line: str = Field(
        description="The line of the template. If other lines of the file keep a name out of it (`shadowed by`), the"
        " record, as in `172.18.0.6 mail`: other names of the line may stand there."
    )
    reason: str = Field(description="Why it has no valid value now.")


class Engine(Part):
    """The engine."""

    connected: bool = Field(description="Whether it answers now.")
    version: str | None = Field(description="Its version; `null` while it is away.")
    api: str | None = Field(description="The version of its API that is spoken.")


class Container(Part):
    """A container of a service, or what another host has in its place."""

    id: str = Field(description="Its id.")
    name: str = Field(description="Its name.")
    state: Literal["running", "stopped", "unknown"] = Field(
        description="Whether it runs. `unknown`: it is changing, and is read again."
    )
    health: Literal["healthy", "unhealthy", "starting"] | None = Field(
        description="The state of its healthcheck; `null`: it has none, or does not run."
    )
    addresses: dict[str, list[str]] = Field(description="Its addresses, by the names of networks.")
    elsewhere: Elsewhere | None = Field(description="Where it is, if another host has it; else `null`.")


class Service(Part):
    """A service."""

    name: str = Field(description="Its key in the configuration, or the name that people know it by.")
    names: list[str] = Field(description="The host names that it is published under.")
    source: str = Field(
        description="Where it comes from: `config`, `compose:PROJECT`, `swarm`, `container`, or who tells it."
    )
    containers: list[Container] = Field(description="The containers behind it, in the order of replicas.")


class Resolv(Part):
    """The resolv.conf of a subscriber."""

    path: str = Field(description="Its path.")
    writer: Literal["path", "exec"] = Field(description="How it is written.")
    in_sync: bool = Field(description="Whether it is right.")
    lines: list[ResolvLine] = Field(description="The lines of its block.")
    withheld: list[Withheld] = Field(description="Lines that are left out.")
    error: str | None = Field(description="What prevents it from being right; `null`: nothing.")


class Subscriber(Part):
    """A subscriber."""

    id: str = Field(description="The container's id; of a file on the host `file:` and its path.")
    name: str = Field(description="The container's name; of a file on the host its key in the configuration.")
    kind: Literal["container", "file"] = Field(description="A container, or a file on the host.")
    path: str = Field(description="The path of its hosts file.")
    writer: Literal["path", "exec"] = Field(description="How the file is written.")
    in_sync: bool = Field(description="Whether the file is right.")
    records: list[Record] = Field(description="The lines of its block.")
    withheld: list[Withheld] = Field(description="Lines that are left out.")
    error: str | None = Field(description="What prevents the file from being right; `null`: nothing.")
    resolv: Resolv | None = Field(description="Its resolv.conf, if that is kept, too; else `null`.")


class Published(Part):
    """What this host tells the others of a cluster."""

    node: str = Field(description="The name of this host there.")
    services: int = Field(description="How many services it publishes.")
    names: list[str] = Field(description="The names of the first ten.")


class Source(Part):
    """A source of names on other hosts."""

    source: str = Field(description="`cluster`, `overlay:NETWORK` or `catalog:SERVICE`.")
    kind: Literal["cluster", "overlay", "catalog"] = Field(description="Its kind.")
    name: str = Field(description="Its name, without the kind.")
    up: bool | None = Field(description="Whether it answers; `null` where no daemon runs, as commands do not ask it.")
    since: str | None = Field(description="Since when that is so.")
    fault: str | None = Field(description="What is wrong, in a sentence; `null`: nothing.")
    endpoints: int | None = Field(description="How many addresses it has told.")
    published: Published | None = Field(description="Of `cluster`: what this host tells the others; else `null`.")


class Daemon(Part):
    """The daemon that has answered."""

    state: Literal["active", "standby"] = Field(description="`standby`: another one keeps the files.")
    pid: int = Field(description="Its process.")
    since: str = Field(description="When it was started.")
    version: str = Field(description="Its version.")


class Status(Part):
    """The answer of `status --json`, and of `/api/v1/state`."""

    engine: Engine = Field(description="The engine that is followed.")
    services: list[Service] = Field(description="All services that are known.")
    subscribers: list[Subscriber] = Field(description="All subscribers, or those that were asked for.")
    sources: list[Source] = Field(description="The sources of names on other hosts; empty where there are none.")
    daemon: Daemon | None = Field(description="The daemon; `null` where none runs.")


class Step(Part):
    """A step of the reasoning."""

    depth: int = Field(description="0 for the line itself; a step below another one is deeper.")
    kind: Literal[
        "asked",
        "pattern",
        "name",
        "tier",
        "candidate",
        "taken",
        "passed",
        "published",
        "lingers",
        "unknown",
        "withheld",
        "shadowed",
        "lost",
        "would_change",
    ] = Field(
        description="What it is about. `pattern`: what a name of `publish_as` is made of; `lost`: its last address"
        " belongs to another container."
    )
    text: str = Field(description="A sentence for people, which may change.")


class Reasoned(Part):
    """A line with its reasons."""

    line: str = Field(description="The line of the template; for an entry of `services` the line that it stands for.")
    asked_by: str | None = Field(
        description="As `origin` of a record; of several the first. `null`: nobody asks for it now."
    )
    state: Literal["published", "lingers", "unknown", "withheld"] = Field(
        description="`lingers`: its service is gone, and its last records stay for `timing.linger`; `unknown`: the"
        " engine, or another host, has not told yet, and they stay."
    )
    reason: str | None = Field(description="Why it is not published; `null` for a published line.")
    since: str | None = Field(
        description="Since when it is withheld for that reason; `null` for all others, and where that is not known."
    )
    records: list[Record | ResolvLine] = Field(description="Its records, as in `status --json`.")
    steps: list[Step] = Field(description="The reasoning, in the order in which it was decided.")


class ReasonedResolv(Part):
    """The resolv.conf of a subscriber, with reasons."""

    path: str = Field(description="Its path.")
    in_sync: bool = Field(description="Whether it is right.")
    error: str | None = Field(description="What prevents it from being right; `null`: nothing.")
    lines: list[Reasoned] = Field(description="Its lines.")


class ReasonedSubscriber(ReasonedResolv):
    """A subscriber, with the reasons of each line. What stands beside `lines` is of its hosts file."""

    id: str = Field(description="As in `status --json`.")
    name: str = Field(description="As in `status --json`.")
    kind: Literal["container", "file"] = Field(description="As in `status --json`.")
    resolv: ReasonedResolv | None = Field(description="Its resolv.conf, if that is kept, too; else `null`.")


class Why(Part):
    """The answer of `why --json`, and of `/api/v1/why/SUBSCRIBER`."""

    subscribers: list[ReasonedSubscriber] = Field(description="The subscribers that were asked for.")
    worked_out_by: Literal["daemon", "command"] = Field(
        description="A command that finds no daemon works it out, and does not know what lingers."
    )
    notes: list[str] = Field(description="What is not known, in sentences.")


class NameChange(Part):
    """A name that has other addresses."""

    name: str = Field(description="The name; in a resolv.conf the keyword.")
    old: list[str] = Field(description="The addresses before, in the file's order; empty: none.")
    new: list[str] = Field(description="The addresses now.")


class Change(Part):
    """A change of a file: a line of `history --json`, an element of `changes` in `/api/v1/history`, an event."""

    id: int = Field(
        description="Counts up from 1; after a restart it goes on with a file, and begins anew without one. The `id:`"
        " of an event."
    )
    time: str = Field(description="When the file was right, in UTC, with milliseconds.")
    subscriber: str = Field(
        description="The container's name at that time; of a file on the host its key in the configuration."
    )
    subscriber_id: str = Field(description="The container's id; of a file on the host `file:` and its path.")
    file: Literal["hosts", "resolv"] = Field(description="Which of the subscriber's files.")
    cause: str = Field(description="Why the file was looked at ([causes](log.md#causes)).")
    changes: list[NameChange] = Field(description="The names with other addresses.")
    withheld: list[Withheld] = Field(description="Lines that are withheld from now on.")
    no_longer_withheld: list[str] = Field(
        description="Lines that have a record again, or that nobody asks for any more."
    )
    ms: float = Field(description="From the arrival of the cause until the file was right, in milliseconds.")


class PastRecord(Part):
    """A line of a hosts file, of an earlier moment."""

    address: str = Field(description="The address.")
    names: list[str] = Field(description="The names.")


class PastLine(Part):
    """A line of a resolv.conf, of an earlier moment."""

    line: str = Field(description="The line.")


class Block(Part):
    """The lines of a file at an earlier moment: a line of `history --at TIME --json`."""

    at: str = Field(description="The moment, in UTC.")
    subscriber: str = Field(description="As in a change.")
    subscriber_id: str = Field(description="As in a change.")
    file: Literal["hosts", "resolv"] = Field(description="As in a change.")
    records: list[PastRecord] = Field(description="The lines of a hosts file; of a resolv.conf none.")
    lines: list[PastLine] | None = Field(
        default=None, description="The lines of a resolv.conf. Of a hosts file this field is absent."
    )
    withheld: list[Withheld] = Field(description="The lines that were left out.")


class Plan(Part):
    """What would change in a file: an element of the list that `plan --json` prints."""

    id: str = Field(description="The subscriber's id.")
    name: str = Field(description="The subscriber's name.")
    file: Literal["hosts", "resolv"] = Field(description="Which of its files.")
    path: str = Field(description="The path of the file.")
    changes: bool = Field(description="Whether it would change.")
    diff: str = Field(description="The unified diff; empty: none.")
    error: str | None = Field(description="What prevents it from being read; `null`: nothing.")


ANSWERS: dict[str, type[Part]] = {"status": Status, "why": Why, "history": Change, "history-at": Block, "plan": Plan}
"""The answers by the names of their schemas."""


def check(command: str, printed: str) -> None:
    """Hold what a command has printed with `--json` against its model. Raises `ValidationError`."""
    match command:
        case "plan":
            for found in json.loads(printed):
                Plan.model_validate(found)
        case "history":
            for line in printed.splitlines():
                found = json.loads(line)
                (Block if "at" in found else Change).model_validate(found)
        case _:
            ANSWERS[command].model_validate_json(printed)
