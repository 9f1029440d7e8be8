"""What would keep hostwatch from working here, each with its remedy: the command `doctor`.

It looks and never changes anything, neither in the engine's directory nor in the system. What can be tried without
harm is tried, as an engine's answer or the kernel's tells more than any rule about when they should give it. Lines that
are withheld are no findings, as they are what the configuration and the containers come to, and `status` shows them;
but for those that no network of these containers could ever carry.
"""

from collections.abc import Awaitable, Callable, Iterator

import anyio
import anyio.to_thread

from hostwatch import app
from hostwatch.config import Settings
from hostwatch.control.source import EngineError, EngineInfo, GoneError, first_leaf
from hostwatch.core.model import Container
from hostwatch.docker.connect import Connection
from hostwatch.docker.engine import DockerEngine
from hostwatch.doctor.cautions import configured
from hostwatch.doctor.connection import unanswered, unreachable
from hostwatch.doctor.files import data_root, labels, lock, subscribers, unreached
from hostwatch.doctor.finding import Finding, Level, fine, problem
from hostwatch.doctor.kernel import leases, priority, watches
from hostwatch.doctor.view import View
from hostwatch.hosts.lock import holder_of

_OLDEST_API = (1, 41)
"""Docker Engine 20.10's, the oldest whose behaviour is known."""
_PATIENCE_SECONDS = 30.0
"""How long the engine may take for all answers together."""
_REQUEST_SECONDS = 5.0


def examined(settings: Settings, connection: Connection) -> Iterator[Finding]:
    """Everything that was looked at, problems or not."""
    seen = anyio.run(_seen, settings, connection)
    if isinstance(seen, str):
        yield unreachable(connection, seen)
        yield from configured(settings, None)
    else:
        yield of_engine(seen.engine, connection)
        yield from map(unanswered, seen.faults)
        yield from _of_files(seen)
        yield from unreached(seen)
        yield from configured(settings, seen)
        yield from labels(seen)
    yield from priority()


def _of_files(view: View) -> Iterator[Finding]:
    found = list(data_root(view))
    yield from found
    visible = all(finding.level is Level.OK for finding in found)
    yield from lock(view)
    yield from subscribers(view, visible=visible)
    if visible:
        yield from watches(view)
        yield from leases(view)


def verdict(found: list[Finding]) -> str:
    """All findings in a line."""
    levels = {Level.PROBLEM: "problem", Level.NOTE: "limit", Level.WARNING: "warning"}
    counts = {what: sum(finding.level is level for finding in found) for level, what in levels.items()}
    told = {what: f"{count} {what}{'s' * (count > 1)}" for what, count in counts.items() if count}
    if "problem" in told:
        return f"{told['problem']} to be mended"
    return "hostwatch works here" + (f", with {' and '.join(told.values())}" if told else "")


def of_engine(engine: EngineInfo, connection: Connection) -> Finding:
    """Which engine it is, and whether it is new enough."""
    shown = f"engine {engine.version} (API {engine.api}) at {connection.address}"
    if tuple(int(part) for part in engine.api.split(".")) < _OLDEST_API:
        oldest = ".".join(map(str, _OLDEST_API))
        return problem(f"{shown} is too old", f"upgrade it to Docker Engine 20.10 (API {oldest}) or newer")
    return fine(shown)


async def _seen(settings: Settings, connection: Connection) -> View | str:
    """What can be seen, or why the engine could not be asked."""
    try:
        with anyio.fail_after(_PATIENCE_SECONDS):
            return await _view(settings, connection)
    except TimeoutError:
        return f"{connection.address} did not answer in time ({_PATIENCE_SECONDS:.0f} s)"
    except (EngineError, GoneError) as error:
        return str(error)
    except BaseExceptionGroup as group:
        known, other = group.split((EngineError, GoneError))
        if known is None or other is not None:
            raise
        return str(first_leaf(known))


async def _view(settings: Settings, connection: Connection) -> View:
    async with app.survey(settings, connection) as survey:
        reports = tuple(await survey.reports())
        container = next(iter(survey.store.containers), None)
        faults = await _faults(connection, container)
        holder = await anyio.to_thread.run_sync(holder_of, survey.engine.directory(settings.docker.root))
        return View(survey.engine, survey.store, reports, settings.docker.root, faults, holder)


async def _faults(connection: Connection, container: Container | None) -> tuple[str, ...]:
    """What is refused of the requests whose failure the survey survives, or that only `run` makes."""
    async with DockerEngine(connection) as source:
        await source.info()

        async def inspect() -> None:
            if container is not None:
                await source.container(container.key)

        async def subscribe() -> None:
            async with source.events():
                pass

        requests = {"/_ping": source.ping, "/containers/ID/json": inspect, "/events": subscribe}
        tried = [await _fault(path, work) for path, work in requests.items()]
    return tuple(fault for fault in tried if fault is not None)


async def _fault(path: str, work: Callable[[], Awaitable[None]]) -> str | None:
    try:
        with anyio.fail_after(_REQUEST_SECONDS):
            await work()
    except TimeoutError:
        return f"GET {path}: the engine did not answer in time ({_REQUEST_SECONDS:.0f} s)"
    except EngineError as error:
        return str(error) if "GET " in str(error) else f"GET {path}: {error}"
    except GoneError:
        pass  # the container is; what else answers 404 is no engine, and was noticed before
    return None
