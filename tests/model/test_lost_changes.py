"""Changes of files were lost, in simulated time: what is found out then, and what must not follow from it."""

import pytest

from tests.model.box import Recipe
from tests.model.life import lived
from tests.model.steps import Run, Start, Step, Stop
from tests.model.troubles import Hide, Overflow, Show

_DB, _WEB = Run("db", Recipe()), Run("web", Recipe(wants=("db",)), pause=25.0)
_OVERFLOW: list[Step] = [Overflow(0.2, pause=9.0)]
_AGAIN: list[Step] = [Hide(pause=3.0), Show(pause=9.0)]


def complaints(*history: Step) -> list[str]:
    """What is wrong in a history."""
    judge = lived([*history])
    print("\n".join(judge.story))  # of a failure
    return judge.complaints


@pytest.mark.parametrize("lost", [_OVERFLOW, _AGAIN], ids=["overflow", "another directory"])
def test_a_stopped_container_does_not_speak(lost: list[Step]) -> None:
    """The address in its file is that of its last life."""
    assert complaints(_DB, _WEB, Stop("db", pause=25.0), *lost) == []


def test_a_start_that_was_lost_is_caught_up() -> None:
    """Its file is right before its first instruction, although no event tells of a start in the host's network."""
    web = Run("web", Recipe(mode="host", wants=("db",)), pause=9.0)
    assert complaints(_DB, web, Stop("web", pause=9.0), Overflow(0.2), Start("web", 2.0, pause=9.0)) == []
