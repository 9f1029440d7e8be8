"""Private, real Docker Engines, and a Podman, for tests, benchmarks, the demo and people. See README.md."""

from tests.engine.engine import Engine, engines, find, start
from tests.engine.machine import EngineError
from tests.engine.releases import PODMANS, VERSIONS
from tests.engine.rootless import start_rootless
from tests.engine.roots import fetch

__all__ = ["PODMANS", "VERSIONS", "Engine", "EngineError", "engines", "fetch", "find", "start", "start_rootless"]
