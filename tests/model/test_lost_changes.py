"""Lost changes of files, in simulated time: starts are noticed afterwards, and stopped containers are not believed."""

import pytest

from tests.model.box import Recipe
from tests.model.life import lived
from tests.model.steps import Run, Start, Step, Stop
from tests.model.troubles import Hide, Overflow, Show

_DB, _WEB = Run("db", Recipe()), Run("web", Recipe(wants=("db",)), pause=25.0)
_OVERFLOW: list[Step] = [Overflow(0.2, pause=9.0)]
_AGAIN: list[Step] = [Hide(pause=3.0), Show(pause=9.0)]


def complaints(*history: Step) -> list[str]:
    """The judge's complaints about a history."""
    judge = lived([*history])
    print("\n".join(judge.story))  # shown after a failure
    return judge.complaints


@pytest.mark.parametrize("lost", [_OVERFLOW, _AGAIN], ids=["overflow", "another directory"])
def test_a_stopped_container_tells_no_early_address(lost: list[Step]) -> None:
    """The address in its file is from its last run."""
    assert complaints(_DB, _WEB, Stop("db", pause=25.0), *lost) == []


def test_a_start_with_a_lost_change_is_noticed() -> None:
    """The file is right before the first instruction, although no event precedes a start in the host's network."""
    web = Run("web", Recipe(mode="host", wants=("db",)), pause=9.0)
    assert complaints(_DB, web, Stop("web", pause=9.0), Overflow(0.2), Start("web", 2.0, pause=9.0)) == []
