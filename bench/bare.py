"""The least that is possible by an etcd: a bare put on one host, seen by a bare watch on another one."""

import base64
import json
import threading
import time
import urllib.request

from bench.contenders import BenchError
from tests.hosts_lab import Host
from tests.servers import Etcd
from tests.servers.namespace import called_in

_PAUSE_SECONDS = 0.02
"""Between two puts."""
_PATIENCE_SECONDS = 5.0


def put_to_watch(store: Etcd, writer: Host, reader: Host, rounds: int) -> list[float]:
    """Milliseconds from a put on one host to the line of a watch on another one, bare."""
    url, key = f"{store.urls[0]}/v3", base64.b64encode(b"/bare/").decode()
    watching, values, seen = threading.Event(), list[str](), list[float]()

    def watch() -> None:
        request = urllib.request.Request(f"{url}/watch", json.dumps({"create_request": {"key": key}}).encode())
        with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS) as lines:
            for line in lines:
                for event in json.loads(line)["result"].get("events", []):
                    seen.append(time.time())
                    values.append(event["kv"]["value"])
                watching.set()
                if len(seen) == rounds:
                    return

    def put() -> list[float]:
        sent = []
        for number in range(rounds):
            value = base64.b64encode(str(number).encode()).decode()
            sent.append(time.time())
            body = json.dumps({"key": key, "value": value}).encode()
            with urllib.request.urlopen(f"{url}/kv/put", body, timeout=_PATIENCE_SECONDS) as answer:
                answer.read()
            time.sleep(_PAUSE_SECONDS)
        return sent

    thread = threading.Thread(target=called_in, args=(reader.namespace, watch))
    thread.start()
    if not watching.wait(_PATIENCE_SECONDS):
        raise BenchError("a bare watch of the etcd does not begin")
    sent = called_in(writer.namespace, put)
    thread.join()
    if len(seen) != rounds:
        raise BenchError(f"a bare watch of the etcd saw {len(seen)} of {rounds} puts")
    return [1000 * (there - begun) for begun, there in zip(sent, seen, strict=True)]
