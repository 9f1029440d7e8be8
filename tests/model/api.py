"""The simulated engine's answers and events, in the JSON of Docker's API."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tests.model.box import SUBNETS, Box, gateway, network_id

Json = dict[str, Any]


def inspected(box: Box) -> Json:
    """`GET /containers/{id}/json`."""
    state: Json = {"Running": box.running, "StartedAt": box.started, "Status": _status(box)}
    config: Json = {"Labels": box.recipe.labels, "Image": "busybox", "Hostname": box.short}
    if box.recipe.checked:
        state["Health"], config["Healthcheck"] = {"Status": box.health}, {"Test": ["CMD", "true"]}
    created = datetime.fromtimestamp(box.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    base = {"Id": box.id, "Name": f"/{box.name}", "Created": created, "State": state, "Config": config}
    return base | _network_settings(box, box.running, aliases=True)


def listed(box: Box) -> Json:
    """The container's entry in `GET /containers/json`."""
    state = _status(box)
    base: Json = {"Id": box.id, "Names": [f"/{box.name}"], "Labels": box.recipe.labels, "Image": "busybox"}
    status = f"Up 1 second ({box.health})" if box.running and box.recipe.checked else "Up 1 second"
    base |= {"Created": int(box.created), "State": state, "Status": status if box.running else "Exited (0)"}
    return base | _network_settings(box, box.running, aliases=False)


def _network_settings(box: Box, is_running: bool, aliases: bool) -> Json:
    networks: Json = {}
    for name, place in box.places.items():
        # The API does not tell the network's id before the first start (20.10), nor the address during a start.
        settings = {"NetworkID": network_id(name) if box.text is not None else "", "IPAddress": ""}
        if is_running and place.address:
            settings |= {"IPAddress": place.address, "Gateway": gateway(name)}
        networks[name] = settings | ({"Aliases": [place.alias] if place.alias else None} if aliases else {})
    mode = f"container:{box.joined}" if box.joined else box.recipe.mode or "front"
    return {"HostConfig": {"NetworkMode": mode}, "NetworkSettings": {"Networks": networks}}


def network(name: str, boxes: Iterable[Box]) -> Json:
    """`GET /networks/{id}`. It lists starting containers, too."""
    members = {
        box.id: {"Name": box.name, "IPv4Address": f"{box.places[name].address}/28"}
        for box in boxes
        if name in box.places and box.places[name].address
    }
    config = {"Subnet": SUBNETS[name], "Gateway": gateway(name)}
    base = {"Id": network_id(name), "Name": name, "Driver": "bridge"}
    return base | {"IPAM": {"Config": [config]}, "Containers": members}


def event(box: Box, action: str, more: dict[str, str] | None = None) -> Json:
    """An event of a container."""
    attributes = {"name": box.name, "image": "busybox"} | box.recipe.labels | (more or {})
    return {"Type": "container", "Action": action, "Actor": {"ID": box.id, "Attributes": attributes}}


def network_event(box: Box, network: str, action: str) -> Json:
    """An event of a container's connection to a network."""
    attributes = {"name": network, "container": box.id}
    return {"Type": "network", "Action": action, "Actor": {"ID": network_id(network), "Attributes": attributes}}


def _status(box: Box) -> str:
    return "running" if box.running else "exited" if box.has_run else "created"
