"""Hypothesis strategies for random histories of steps."""

import operator

from hypothesis import strategies as st

from tests.model.box import Recipe
from tests.model.daemon import RESYNC_SECONDS
from tests.model.faults import REQUESTS
from tests.model.oracle import LINGER_SECONDS, Configuration
from tests.model.source import FATES
from tests.model.steps import (
    Connect,
    Disconnect,
    Edit,
    Examine,
    Relabel,
    Remove,
    Rename,
    Run,
    Start,
    Step,
    Stop,
    Supplant,
    Swap,
)
from tests.model.troubles import (
    Again,
    Away,
    Become,
    Full,
    Heal,
    Hide,
    Hup,
    Kill,
    Occupy,
    Overflow,
    Refuse,
    Rest,
    Show,
    Slow,
    Stuck,
    Vacate,
)

NAMES = ("db", "web", "api", "tmp")
WANTED = ("db", "cache", "conf")
NETWORKS = ("front", "back", "bridge")
PAUSES = (9.0, 0.0, 0.005, 0.3, 3.0, 9.0, 25.0)
"""Seconds between two steps. 9 are enough for all work to end, 25 are a good part of a resync's interval."""
_NAME = st.sampled_from(NAMES)
_ASKING = st.sampled_from(["web", "api"])
_SERVING = st.sampled_from(["db", "db", "tmp"])
_OK: tuple[str, ...] = ("ok",)
_FATES = st.sampled_from([_OK, _OK, _OK]) | st.lists(st.sampled_from(FATES), min_size=1, max_size=3).map(tuple)
_ALIAS = st.sampled_from(["", "", "db", "cache"])
_WANTS = st.lists(st.sampled_from(WANTED), unique=True, min_size=1, max_size=2).map(tuple)
_PLACE = st.tuples(st.sampled_from(NETWORKS), _ALIAS)
_PLACES = st.lists(_PLACE, unique_by=lambda place: place[0], max_size=2).map(tuple)
_AT_FRONT = _ALIAS.map(lambda alias: (("front", alias),))
_PROJECTS = st.sampled_from(["", "", "", "p/db", "p/cache", "q/db"])
_SERVICES = st.builds(
    Recipe,
    networks=_AT_FRONT | _AT_FRONT | _PLACES,
    mode=st.sampled_from([""] * 6 + ["host", *(f"container:{name}" for name in NAMES[:2])]),
    names=st.sampled_from(["", "", "cache", "db"]),
    compose=_PROJECTS,
    label=st.sampled_from(["", "", "conf"]),
    only=st.sampled_from(["", "", "", "", "back"]),
    checked=st.sampled_from([False, False, False, True]),
)
_SUBSCRIBERS = st.builds(
    Recipe,
    networks=_AT_FRONT | _AT_FRONT | _PLACES,
    mode=st.sampled_from([""] * 6 + ["host", "container:db"]),
    wants=st.just(("db", "cache")) | _WANTS,
    compose=_PROJECTS,
    notified=st.booleans(),
    publishes=st.sampled_from([False, False, False, True]),
    shadows=st.sampled_from([False, False, False, True]),
)
_GAPS = st.sampled_from([0.04, 0.0, 1.0, 8.0])
_CONFIGURATIONS = st.builds(
    Configuration,
    has_service=st.booleans(),
    subscriber=st.sampled_from(["", "api", "web", "db"]),
    lines=_WANTS,
    linger_seconds=st.sampled_from([LINGER_SECONDS, 0.0]),
)
_MORE = {"fates": _FATES, "pause": st.sampled_from(PAUSES)}
_RUNS = st.builds(Run, _ASKING, _SUBSCRIBERS, _GAPS, **_MORE) | st.builds(Run, _SERVING, _SERVICES, _GAPS, **_MORE)
_DB, _WEB = Run("db", Recipe()), Run("web", Recipe(wants=("db", "cache"), notified=True), pause=9.0)
_SCENES = st.sampled_from(
    [
        [_DB, Run("tmp", Recipe(names="cache")), _WEB],
        [_DB, _WEB, Stop("db", pause=9.0)],
        [_WEB],
        [],
    ]
)
"""The possible beginnings of a history."""


def _happenings() -> st.SearchStrategy[Step]:
    starts = st.builds(Start, _SERVING | _NAME, _GAPS, st.booleans(), st.booleans(), **_MORE)
    moves = st.builds(Connect, _NAME, st.sampled_from(NETWORKS), _ALIAS, **_MORE)
    return st.one_of(
        _RUNS,
        _RUNS,
        starts,
        starts,
        st.builds(Stop, _NAME, **_MORE),
        st.builds(Remove, _NAME, **_MORE),
        st.builds(Relabel, _NAME, _WANTS, st.sampled_from(["", "cache", "db"]), **_MORE),
        st.builds(Rename, _NAME, _NAME, **_MORE),
        st.builds(Swap, _NAME, _NAME, **_MORE),
        st.builds(Supplant, _SERVING, _NAME, fates=st.just(("lost",)) | _FATES, pause=st.sampled_from(PAUSES)),
        moves,
        st.builds(Disconnect, _NAME, st.sampled_from(NETWORKS), **_MORE),
        st.builds(Examine, _NAME, st.sampled_from(["healthy", "healthy", "unhealthy"]), **_MORE),
        st.builds(Hup, _CONFIGURATIONS, **_MORE),
        st.builds(Edit, _NAME, st.sampled_from(["wipe", "unmark", "lie", "shadow", "forge"]), **_MORE),
    )


def _troubles() -> st.SearchStrategy[Step]:
    return st.one_of(
        st.builds(Away, st.sampled_from(["cut", "hung", "", ""]), **_MORE),
        st.builds(Refuse, _SERVING | _NAME, **_MORE),
        st.builds(Slow, _NAME | st.sampled_from(REQUESTS), st.sampled_from([0.05, 2.0, 20.0]), **_MORE),
        st.builds(Stuck, _NAME, **_MORE),
        st.builds(Full, **_MORE),
        st.builds(Hide, **_MORE),
        st.builds(Show, **_MORE),
        st.builds(Occupy, **_MORE),
        st.builds(Vacate, **_MORE),
        st.builds(Overflow, st.sampled_from([0.0, 0.01, 0.5]), **_MORE),
        st.builds(Become, st.sampled_from(["simulated", "another"]), **_MORE),
        st.builds(Heal, **_MORE),
        st.builds(Rest, pause=st.just(RESYNC_SECONDS + 35.0)),
        st.builds(Rest, pause=st.just(RESYNC_SECONDS + 35.0)),
        st.builds(Kill, **_MORE),
        st.builds(Again, **_MORE),
    )


def histories(steps: int) -> st.SearchStrategy[list[Step]]:
    """Histories of at most so many steps, about a quarter of them troubles."""
    usual = _happenings()
    each = st.one_of(usual, usual, usual, _troubles())
    short, long = (st.lists(each, min_size=least, max_size=steps) for least in (1, steps // 2))
    return st.builds(operator.add, _SCENES, short | long | long)
