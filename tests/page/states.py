"""States of a made-up shop, as `/api/v1/state` has them: of any size, and with everything that can be wrong."""

from typing import Any

Json = dict[str, Any]

SINCE = "2026-01-02T03:04:05.678Z"


def service(name: str, number: int, state: str = "running", project: str = "shop") -> Json:
    """A service with one container."""
    addresses = {"backend": [_address(number)]} if state == "running" else {}
    container = {"id": f"{number:064x}", "name": f"{project}-{name}-1", "state": state, "health": None}
    return {
        "name": name,
        "names": [name],
        "source": f"compose:{project}",
        "containers": [container | {"addresses": addresses}],
    }


def record(of: Json) -> Json:
    """A record of the first address of a service."""
    (container,) = of["containers"]
    ((network, (address,)),) = container["addresses"].items()
    return {
        "address": address,
        "names": of["names"],
        "origin": f"label hostwatch.hosts of {container['name']}",
        "service": of["name"],
        "tier": "compose",
        "container": container["name"],
        "network": network,
        "elsewhere": None,
        "since": SINCE,
    }


def subscriber(name: str, number: int, services: list[Json], **others: Any) -> Json:
    """A subscriber that follows these services."""
    return {
        "id": f"{number + 0xA0000:064x}",
        "name": name,
        "kind": "container",
        "path": f"/var/lib/docker/containers/{number:064x}/hosts",
        "writer": "path",
        "in_sync": True,
        "records": [record(each) for each in services],
        "withheld": [],
        "error": None,
        "resolv": None,
    } | others


def state(subscribers: list[Json], services: list[Json]) -> Json:
    """A whole state."""
    return {
        "engine": {"connected": True, "version": "28.5.2", "api": "1.51"},
        "services": services,
        "subscribers": subscribers,
        "daemon": {"state": "active", "pid": 4711, "since": SINCE, "version": "0.1.0"},
    }


def shop() -> Json:
    """A small state with a subscriber of each kind."""
    db, cache, queue = (service(name, number) for number, name in enumerate(("db", "cache", "queue"), 1))
    mail = service("mail", 4, "stopped")
    mounted = "the hosts file is a mount of /etc/hosts of the host, which is not hostwatch's to change"
    withheld = [{"line": "@{mail.ip} mail", "reason": "mail: no running container"}]
    unknown = [{"line": "@{search.ip} search", "reason": "search: there is no such service"}]
    subscribers = [
        subscriber("shop-web-1", 1, [db, cache]),
        subscriber("shop-web-2", 2, [db, cache], in_sync=False),
        subscriber("shop-worker-1", 3, [queue, db], withheld=withheld),
        subscriber("shop-admin-1", 4, [], error=mounted),
        subscriber("shop-report-1", 5, [db], withheld=unknown),
    ]
    return state(subscribers, [db, cache, queue, mail])


def large(subscribers: int, services: int) -> Json:
    """A state of this size, in which each subscriber follows four services."""
    made = [service(f"service-{number}", number) for number in range(services)]
    followers = [
        subscriber(f"web-{number}", number, [made[(number * 7 + step * 11) % services] for step in range(4)])
        for number in range(subscribers)
    ]
    return state(followers, made)


def change(number: int, of: Json, name: str, old: str, new: str) -> Json:
    """A change of a subscriber's name."""
    return {
        "id": number,
        "time": f"2026-01-02T03:{number // 60 % 60:02}:{number % 60:02}.000Z",
        "subscriber": of["name"],
        "subscriber_id": of["id"],
        "file": "hosts",
        "cause": f"start of {name}",
        "changes": [{"name": name, "old": [old], "new": [new]}],
        "withheld": [],
        "no_longer_withheld": [],
        "ms": 1.8,
    }


def why(of: Json) -> Json:
    """Reasons for the lines of a subscriber."""
    lines = [
        {
            "line": f"@{{{each['service']}.ip}} {each['service']}",
            "asked_by": each["origin"],
            "state": "published",
            "reason": None,
            "records": [each],
            "steps": [
                {"depth": 0, "kind": "tier", "text": f"{each['service']} is a service of the compose project shop"},
                {"depth": 1, "kind": "candidate", "text": f"{each['container']} runs, on network backend"},
                {"depth": 2, "kind": "taken", "text": f"{each['address']} on backend, which both are on"},
            ],
        }
        for each in of["records"]
    ]
    held = [
        {
            "line": each["line"],
            "asked_by": f"label hostwatch.hosts of {of['name']}",
            "state": "withheld",
            "reason": each["reason"],
            "records": [],
            "steps": [
                {"depth": 0, "kind": "withheld", "text": each["reason"]},
                {"depth": 1, "kind": "would_change", "text": "a container that starts under this name would"},
            ],
        }
        for each in of["withheld"]
    ]
    subscribers = [
        {key: of[key] for key in ("id", "name", "kind", "path", "in_sync", "error")} | {"lines": lines + held}
    ]
    return {"subscribers": subscribers, "worked_out_by": "daemon", "notes": []}


def _address(number: int) -> str:
    return f"172.18.{number // 250}.{number % 250 + 2}"
