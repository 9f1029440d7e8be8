"""Random histories: the files always become right, and never have a record that was never true.

The real daemon runs on a simulated engine, in simulated time. A failure shows the shortest history that causes it, and
its story. `HOSTWATCH_HISTORIES` is the number of histories, for a longer search that differs each time. Each history
below failed once when a protection was taken out, and random histories seldom hit it.
"""

import os

import hypothesis
import pytest
from hypothesis import HealthCheck, example, given, note, settings
from trio._core import _run as trio_run

from tests.effort import examples
from tests.model.box import Recipe
from tests.model.history import histories
from tests.model.life import lived
from tests.model.steps import Remove, Run, Start, Step, Stop, Supplant
from tests.model.troubles import Again, Away, Become, Kill, Refuse

hypothesis.register_random(trio_run._r)  # noqa: SLF001  # it chooses the next task
_TRIED = int(os.environ.get("HOSTWATCH_HISTORIES", examples(150)))

_DB, _WEB = Run("db", Recipe()), Run("web", Recipe(wants=("db", "cache")), pause=25.0)
_ADDRESS_LOST_UNHEARD = [_DB, Run("tmp", Recipe()), _WEB, Supplant("db", "tmp", fates=("lost",), pause=9.0)]
_STARTED_IN_VAIN = [_DB, _WEB, Stop("db", pause=9.0), Start("db", 0.04, True, pause=9.0)]
_STOPPED_UNREADABLY = [_DB, _WEB, Refuse("db", pause=0.3), Stop("db", pause=9.0)]
_ALIAS_UNREAD = [Run("db", Recipe((("front", "cache"),))), _WEB, Refuse("db"), Kill(), Again(pause=9.0)]
_TOLD = [_DB, Run("web", Recipe(wants=("db",), notified=True), 1.0, pause=9.0), Remove("db", pause=9.0)]
_TIERS = [_DB, Run("tmp", Recipe(compose="p/db")), Run("web", Recipe(wants=("db",), compose="p/web"), pause=9.0)]
_CACHE, _RENEWED = Run("tmp", Recipe(names="cache")), [Remove("db"), Run("db", Recipe(), pause=95.0)]
_ANOTHER_ENGINE = [_DB, _CACHE, _WEB, Become("another", pause=25.0), Remove("tmp", pause=9.0), *_RENEWED]
_JOINER = Run("api", Recipe(mode="container:db", wants=("db", "cache")), pause=9.0)
_OUTLIVED = [Run("db", Recipe(), pause=9.0), _CACHE, _JOINER, Start("db", 0.04, pause=9.0)]
_EVERY_NAME = Run("api", Recipe(publishes=True, compose="p/api"), pause=9.0)
_PUBLISHED = [
    Run("db", Recipe(compose="p/db")),
    _CACHE,
    _EVERY_NAME,
    Start("db", 0.04, pause=9.0),
    Stop("tmp", pause=9.0),
]
_AWAY = [_DB, _WEB, Away("cut", pause=9.0), Remove("db", pause=9.0)]


@pytest.mark.timeout(900)  # finding the shortest history takes a while
@settings(
    max_examples=_TRIED,
    deadline=None,
    database=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)
@given(histories(30))
@example(_ADDRESS_LOST_UNHEARD)
@example(_STARTED_IN_VAIN)
@example(_STOPPED_UNREADABLY)
@example(_ALIAS_UNREAD)
@example(_AWAY)
@example(_OUTLIVED)
@example(_ANOTHER_ENGINE)
@example(_TOLD)
@example(_TIERS)
@example(_PUBLISHED)
def test_every_file_becomes_right_after_any_history(history: list[Step]) -> None:
    """No step leads to a record that was never true. After a resync every file is as the contract says."""
    judge = lived(history)
    note("\n".join(judge.story))
    assert judge.complaints == []
