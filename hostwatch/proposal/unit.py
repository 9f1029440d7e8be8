"""The shipped systemd unit, filled in for this machine: where the program, the engine and its data are, and what else
the present configuration needs.

The shipped unit has all reasons beside its lines. They stay; lines that differ are replaced, or added with a reason.
"""

import re
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

from hostwatch.config.http import place_of
from hostwatch.config.settings import Settings
from hostwatch.core.rules import AUTO
from hostwatch.proposal.machine import Facts

_HEAD = """\
# hostwatch under systemd, filled in by `hostwatch init --systemd` for this machine:
# {what}.
#
#   hostwatch init --systemd >/etc/systemd/system/hostwatch.service
#   systemctl daemon-reload && systemctl enable --now hostwatch
#
# `systemctl status hostwatch` shows its state, `journalctl -u hostwatch` its log, and `systemctl reload hostwatch` has
# it read its configuration again. After a change that concerns the unit, as a new file of the host, write it anew, or
# write a drop-in (`systemctl edit hostwatch`):
"""
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 (names alone)
"""Directories that the unit does not see (`ProtectHome=`, `PrivateTmp=`)."""
_ROOT = "/var/lib/docker"
_NETWORK = ("PrivateNetwork=no", "RestrictAddressFamilies=AF_INET AF_INET6")
_STATE, _LOGS = Path("/var/lib/hostwatch"), Path("/var/log/hostwatch")


def unit(facts: Facts) -> str:
    """The text of the unit."""
    text = (files("hostwatch") / "share/hostwatch.service").read_text(encoding="utf-8")
    head, start, rest = text.partition("[Unit]\n")
    drop_ins = "".join(line for line in head.splitlines(keepends=True) if line.startswith("#   ") and "&&" not in line)
    what = f"{facts.engine}, with its data in {facts.root}"
    rest = _replaced(rest, "ExecStart", " ".join(map(_word, facts.command)))
    rest = _replaced(rest, "RequiresMountsFor", _path(facts.root) if facts.is_here else "")
    if facts.is_podman:
        rest = _replaced(rest, "After", "podman.service podman.socket")
    rest = re.sub(rf"^ReadWritePaths={_ROOT}/containers\n", lambda _: _data(facts), rest, flags=re.MULTILINE)
    service, install, last = rest.partition("\n[Install]\n")
    added = [f"\n# {reason}\n" + "".join(f"{line}\n" for line in lines) for reason, lines in _added(facts)]
    return f"{_HEAD.format(what=what)}#\n{drop_ins}\n{start}{service}{''.join(added)}{install}{last}"


def _replaced(text: str, key: str, value: str) -> str:
    return re.sub(rf"^{key}=.*$", lambda _: f"{key}={value}", text, count=1, flags=re.MULTILINE)


def _data(facts: Facts) -> str:
    """What lets the unit write the containers' files."""
    return f"{_writable(facts.directory)}\n" if facts.is_here else ""


def _writable(path: Path) -> str:
    return f"{'BindPaths' if _is_hidden(path) else 'ReadWritePaths'}={_path(path)}"


def _is_hidden(path: Path) -> bool:
    return any(path.is_relative_to(hidden) for hidden in _HIDDEN)


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """The directories that are in none of the others, each once."""
    found = list[Path]()
    for path in sorted(paths):
        if not any(path.is_relative_to(other) for other in found):
            found.append(path)
    return found


def _added(facts: Facts) -> Iterator[tuple[str, Iterable[str]]]:
    """The lines that the shipped unit does not have, each with its reason."""
    if seen := _outermost(path for path in facts.reads if _is_hidden(path)):
        yield "The program, its Python and its configuration.", [f"BindReadOnlyPaths={_path(path)}" for path in seen]
    if facts.socket is None:
        reason = (
            "The engine, by TCP. Any other address is denied: write that of your engine alone, and of a nameserver."
        )
        yield reason, (*_NETWORK, "IPAddressAllow=any")
    elif _is_hidden(facts.socket):
        yield (
            "The engine's socket. It is made anew in its directory.",
            [f"BindReadOnlyPaths={_path(facts.socket.parent)}"],
        )
    if facts.variables:
        yield "How the engine is reached.", [f"Environment={_word(f'{k}={v}')}" for k, v in facts.variables.items()]
    yield from _configured(facts.settings)


def _configured(settings: Settings) -> Iterator[tuple[str, Iterable[str]]]:
    """What the configuration needs."""
    if paths := sorted(settings.host_files):
        reason = "The files of this host. If programs replace one by a new one, write its directory."
        yield reason, [_writable(path) for path in paths]
    if any(each.notify is not None and each.notify.command is not None for each in settings.subscribers.values()):
        yield "So that a command of `notify` leaves our priority.", ["SystemCallFilter=sched_setscheduler"]
    listen = settings.http.listen
    if listen is not None and isinstance(place_of(listen), tuple):
        yield "HTTP at an address. Any other one is denied.", (*_NETWORK, "IPAddressAllow=localhost")
    if settings.advertise == AUTO:
        reason = "`advertise: auto` asks the kernel by netlink, without a packet."
        yield reason, ("PrivateNetwork=no", "RestrictAddressFamilies=AF_NETLINK")
    if settings.cluster is not None or settings.catalogs():
        reason = "Stores and catalogs. Any other address is denied: write those of your servers alone."
        private = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7"
        yield reason, (*_NETWORK, f"IPAddressAllow=localhost {private}")
    if (file := settings.history.file) is not None:
        usual = (f"StateDirectory={_STATE.name}", "StateDirectoryMode=0700")
        yield "The history.", usual if file.parent == _STATE else [_writable(file.parent)]
    if (file := settings.log.file) is not None and file.parent != _LOGS:
        yield "The log.", [_writable(file.parent)]


def _path(path: Path) -> str:
    return _quoted(str(path).replace("%", "%%"))


def _word(text: str) -> str:
    """One word of a command line, or of an assignment."""
    return _quoted(text.replace("%", "%%").replace("$", "$$"))


def _quoted(text: str) -> str:
    if re.fullmatch(r"[^\s\"'\\]+", text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
