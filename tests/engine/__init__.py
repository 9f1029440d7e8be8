"""Private, real Docker Engines for tests, benchmarks, the demo and people. See README.md."""

from tests.engine.engine import Engine, engines, find, start
from tests.engine.machine import EngineError
from tests.engine.releases import VERSIONS
from tests.engine.roots import fetch

__all__ = ["VERSIONS", "Engine", "EngineError", "engines", "fetch", "find", "start"]
