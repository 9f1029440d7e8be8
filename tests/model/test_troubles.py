"""Troubles that end: the files become right at once afterwards, before the next resync.

Each history fails if the code that it tests is broken.
"""

import pytest

from tests.model.box import Recipe
from tests.model.life import lived
from tests.model.oracle import Configuration
from tests.model.steps import Edit, Rename, Run, Start, Step
from tests.model.troubles import Again, Full, Heal, Hide, Hup, Kill, Occupy, Show, Slow, Vacate

_CACHE = Run("tmp", Recipe(names="cache"))
_WEB = Run("web", Recipe(wants=("db", "other")))
_SETTING: list[Step] = [Run("db", Recipe()), _CACHE, _WEB, Run("api", Recipe(), pause=9.0)]
_SUBSCRIBED = Configuration(subscriber="api", lines=("db", "cache"))

HISTORIES: dict[str, list[Step]] = {
    "a directory that was away": [Hide(pause=1.0), Rename("db", new="other", pause=3.0), Show(pause=9.0)],
    "a directory that was replaced": [Hide(pause=1.0), Edit("web", how="wipe"), Show(pause=9.0)],
    "SIGHUP": [Hup(_SUBSCRIBED, pause=9.0)],
    "SIGHUP in a start": [Start("api", 4.0, pause=2.0), Hup(_SUBSCRIBED, pause=11.0)],
    "SIGHUP while the directory is away": [Hide(pause=1.0), Hup(_SUBSCRIBED, pause=2.0), Show(pause=9.0)],
    "a full disk": [Full(), Rename("db", new="other", pause=3.0), Heal(pause=40.0)],
    "slow inspections": [
        *[Slow("db", 2.0), Slow("other", 2.0), Rename("db", new="other", pause=0.5), Rename("other", new="db")],
        Heal(pause=20.0),
    ],
    "an inspection that never ends": [Slow("other", 1e6), Rename("db", new="other", pause=5.0), Heal(pause=20.0)],
    "another keeper in the place of this one": [
        *[Hide(pause=1.0), Occupy(), Show(pause=3.0)],
        *[Edit("web", how="wipe", pause=3.0), Vacate(pause=9.0)],
    ],
    "another keeper that ends": [Kill(), Occupy(), Again(pause=9.0), Rename("db", new="other"), Vacate(pause=9.0)],
}


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES.keys())
def test_the_files_become_right_at_once(history: list[Step]) -> None:
    judge = lived([*_SETTING, *history])
    print("\n".join(judge.story))  # shown after a failure
    assert judge.complaints == []
