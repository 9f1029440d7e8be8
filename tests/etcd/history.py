"""What really happened in an etcd, and which of its nodes is watched: for tests of a follower, beside it."""

import base64
import json
import urllib.request
from collections.abc import Mapping
from contextlib import suppress

from tests.servers import Etcd, EtcdNode

_WATCHERS = "etcd_debugging_mvcc_watcher_total"
_ANSWER_SECONDS = 1.0
"""A write is tried elsewhere after this time, as the leader it was sent to may be gone."""


def changes_since(server: Etcd, prefix: str, revision: int, last: int) -> list[tuple[str, str | None, int]]:
    """Key, value (`None`: deleted) and revision of each change, up to the revision `last`."""
    body = {"key": _encoded(prefix), "range_end": _encoded(prefix[:-1] + "0"), "start_revision": str(revision)}
    found: list[tuple[str, str | None, int]] = []
    with _asked(server.nodes[0], "watch", {"create_request": body}) as answer:
        while not found or found[-1][2] < last:
            for event in json.loads(answer.readline())["result"].get("events", []):
                fields = event["kv"]
                value = None if event.get("type") == "DELETE" else _decoded(fields.get("value", ""))
                found.append((_decoded(fields["key"]), value, int(fields["mod_revision"])))
    return [each for each in found if each[2] <= last]


def watched_node(server: Etcd) -> EtcdNode | None:
    """The node that has a watcher."""
    running = (node for node in server.nodes if node.healthy())
    return next((node for node in running if node.metrics().get(_WATCHERS, 0.0) > 0), None)


def put_somewhere(server: Etcd, pairs: Mapping[str, str], but: EtcdNode | None) -> int:
    """Set keys in one transaction at any node but this one; returns the revision.

    They may be set twice: a node can fail after it has done it.
    """
    puts = [{"request_put": {"key": _encoded(key), "value": _encoded(value)}} for key, value in pairs.items()]
    for _ in range(50):
        for node in server.nodes:
            if node is not but and node.alive():
                # It fails while a leader is being elected.
                with suppress(OSError), _asked(node, "kv/txn", {"success": puts}) as answer:
                    return int(json.loads(answer.read())["header"]["revision"])
    raise AssertionError("no node takes a write")


def _asked(node: EtcdNode, method: str, body: Mapping[str, object]) -> urllib.response.addinfourl:
    request = urllib.request.Request(f"{node.url}/v3/{method}", json.dumps(body).encode())
    found: urllib.response.addinfourl = urllib.request.urlopen(request, timeout=_ANSWER_SECONDS)
    return found


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()
