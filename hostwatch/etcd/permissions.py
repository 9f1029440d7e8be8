"""The permission that a refused request needs, as the command that grants it."""

import os.path
from collections.abc import Iterator
from typing import Any

from hostwatch.core.names import told
from hostwatch.etcd import wire
from hostwatch.etcd.failures import ServerError
from hostwatch.etcd.wire import Message

_GRANT = "grant it to a role of `user`, as `etcdctl role grant-permission ROLE {}`"
_OR_NODE = ", or set `cluster.node` to the name that `user` may write"


def denied(error: ServerError, body: Message) -> ServerError:
    """The error of a request that was denied, with its remedy."""
    return ServerError(f"{error}; {_remedy(body)}", error.code, error.said)


def _remedy(body: Message) -> str:
    if written := [*dict.fromkeys(_written(body))]:
        several = f"--prefix=true {os.path.commonpath(written).rstrip('/')}/" if len(written) > 1 else ""
        return _GRANT.format(f"readwrite {told(several or written[0])}") + _OR_NODE
    read: Message = body.get("create_request") or body
    if "key" not in read:
        return _GRANT.format("readwrite --prefix=true PREFIX")
    return _GRANT.format(f"read {'--prefix=true ' if 'range_end' in read else ''}{told(wire.key(read))}")


def _written(body: Message) -> Iterator[str]:
    operations: list[dict[str, Any]] = body.get("success") or []
    for operation in operations:
        for kind in ("request_put", "request_delete_range"):
            if kind in operation:
                yield wire.key(operation[kind])
