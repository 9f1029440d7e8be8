"""Random histories on a real engine, with events that are lost, doubled and late: every file is right afterwards.

The oracle of the simulated engine decides (`tests.model.oracle`), from the real engine's answers about its containers.
`HOSTWATCH_SEEDS` chooses other histories, by their numbers.
"""

import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress

import docker
import pytest
from docker.models.containers import Container

from hostwatch.core.model import ContainerId
from tests.conftest import Lab, eventually, make_network
from tests.model.box import Box, Place, Recipe
from tests.model.engine import Engine
from tests.model.oracle import Oracle, said
from tests.proxy import Proxy

pytestmark = pytest.mark.parametrize("engine", ["28.5"], indirect=True)

SEEDS = os.environ.get("HOSTWATCH_SEEDS", "1 2").split()
OPERATIONS = 20
CONFIGURATION = "timing: {resync: 3s}\nservices: {conf: {match: {label: {app: conf}}}}\n"

WEB = Recipe(wants=("db", "cache"))
RECIPES = {
    "web": [WEB, Recipe(wants=("db", "conf"), compose="p/web"), Recipe((("back", ""),), wants=("db",))],
    "api": [WEB, Recipe(mode="container:db", wants=("cache",))],
    "db": [Recipe(), Recipe((("back", "cache"),)), Recipe((("front", "cache"),), compose="p/db"), Recipe(label="conf")],
    "tmp": [Recipe((("front", "db"),)), Recipe(names="cache"), Recipe((("back", "db"),), label="conf")],
}


class History:
    """Containers with a random history. Steps that the engine refuses are left out."""

    def __init__(self, lab: Lab, chance: random.Random) -> None:
        self.lab = lab
        self.chance = chance
        self.recipes: dict[str, Recipe] = {}
        self.told: list[str] = []

    def step(self) -> None:
        """Take one more step."""
        name, other = self.chance.choice([*RECIPES]), self.chance.choice([*RECIPES])
        network, alias = self.chance.choice(["front", "back"]), self.chance.choice(["", "db", "cache"])
        what = self.chance.choice(["run", "run", "run", "restart", "kill", "start", "rename", "connect", "disconnect"])
        self.told.append(f"{what} {name} {other} {network} {alias}")
        with suppress(docker.errors.APIError):
            self._do(what, name, other, network, alias)

    def _do(self, what: str, name: str, other: str, network: str, alias: str) -> None:
        if what == "run":
            self.run(name, self.chance.choice(RECIPES[name]))
            return
        container = self.lab.client.containers.get(name)
        aliases = [alias] if alias else None
        steps: dict[str, Callable[[], object]] = {
            "restart": lambda: container.restart(timeout=0),
            "kill": container.kill,
            "start": container.start,
            "rename": lambda: container.rename(other),
            "connect": lambda: self.lab.client.networks.list([network])[0].connect(container, aliases=aliases),
            "disconnect": lambda: self.lab.client.networks.list([network])[0].disconnect(container),
        }
        steps[what]()

    def run(self, name: str, recipe: Recipe) -> None:
        """Run a container in the place of the one with that name."""
        with suppress(docker.errors.NotFound):
            self.lab.client.containers.get(name).remove(force=True)
        if recipe.mode:
            container = self.lab.create(name, labels=recipe.labels, network_mode=recipe.mode)
        else:
            ((network, alias),) = recipe.networks
            endpoint = self.lab.client.api.create_endpoint_config(aliases=[alias] if alias else None)
            container = self.lab.create(
                name, labels=recipe.labels, network=network, networking_config={network: endpoint}
            )
        self.recipes[str(container.id)] = recipe
        container.start()

    def faults(self) -> list[str]:
        """The differences between the files and the contract."""
        engine = Engine()
        for number, container in enumerate(sorted(self.lab.client.containers.list(all=True), key=_created)):
            box = self._box(container, number)
            engine.boxes[box.id] = box
        oracle, found = Oracle(engine), []
        for file in oracle.files():
            text, records = said(file.text or b""), oracle.records(file)
            if text.records != records or text.blocks != bool(oracle.wanted(file)):
                found.append(f"{file.name} says {text}; the contract says {records}")
        return found

    def _box(self, container: Container, number: int) -> Box:
        attributes = container.attrs
        mode = attributes["HostConfig"]["NetworkMode"]
        joined = ContainerId(mode.removeprefix("container:")) if mode.startswith("container:") else None
        networks = attributes["NetworkSettings"]["Networks"] if joined is None else {}
        places = {
            name: Place(next(iter(settings["Aliases"] or ()), ""), settings["IPAddress"])
            for name, settings in networks.items()
        }
        recipe, identity = self.recipes[str(container.id)], ContainerId(str(container.id))
        box = Box(identity, str(container.name), recipe, number, places, joined, attributes["State"]["Running"])
        with suppress(FileNotFoundError):
            box.text = self.lab.hosts_path(container).read_bytes()
            box.foreign = [*said(box.text).foreign]
        return box


def _created(container: Container) -> str:
    return str(container.attrs["Created"])


@pytest.mark.parametrize("seed", SEEDS)
def test_every_file_becomes_right_on_a_real_engine(lab: Lab, proxy: Proxy, seed: str) -> None:
    """Events are lost, doubled and late, connections cut, hostwatch killed. After a resync all files are right."""
    make_network(lab.client, "back", "10.124.0.0/28")
    chance = random.Random(seed)
    history = History(lab, random.Random(seed))
    proxy.upset = lambda: chance.choice([(0.0,), (0.0,), (0.0,), (), (), (0.0, 0.0), (0.7,), (0.0, 0.3)])
    arguments = ("-c", lab.configured(CONFIGURATION))
    with lab.hostwatch(*arguments) as hostwatch:
        history.run("web", WEB)
        history.run("db", Recipe())
        for number in range(OPERATIONS // 2):
            history.step()
            if number % 4 == 3:
                proxy.cut()
        hostwatch.stop(signal.SIGKILL)
    history.step()
    with lab.hostwatch(*arguments):
        for _ in range(OPERATIONS // 2):
            history.step()
        proxy.upset = lambda: ()  # the last change has no event: only a resync finds it
        history.run("web", WEB)
        history.run("db", Recipe())
        proxy.upset = None
        with suppress(AssertionError):
            eventually(lambda: not history.faults(), 20)
        assert not history.faults(), history.told
