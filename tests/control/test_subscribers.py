"""The word that a user gives for a subscriber: a name, the beginning of an id, or a key of the configuration."""

import pytest

from hostwatch.control.subscribers import NoSubscriberError, absent, matching, names, running
from hostwatch.core.rules import Match, Rules, SubscriberRule, Subscription
from hostwatch.core.store.store import Store
from tests.core.build import STOPPED, box, key, on, store

ASKS = {"hostwatch.services": "*"}
WEB, FED = key("shop-web-1"), key("fed1")
RULES = Rules(
    subscribers=(
        SubscriberRule("shop-all", Match(name=("shop-*",)), Subscription(everything=True)),
        SubscriberRule("nobody", Match(name=("nothing-*",)), Subscription(everything=True)),
    )
)


@pytest.fixture
def made() -> Store:
    """Two containers that the configuration names, one with labels, one that shares its file, and others."""
    return store(
        box("shop-web-1", on("front", "10.0.0.1")),
        box("shop-app-1", on("front", "10.0.0.2"), state=STOPPED),
        box("fed1", on("front", "10.0.0.3"), labels=ASKS),
        box("beside", join="shop-web-1"),
        box("db", on("front", "10.0.0.4")),
        box("wrong", on("front", "10.0.0.5"), labels={"hostwatch.services": "no/name"}),
        box("off", on("front", "10.0.0.6"), labels=ASKS | {"hostwatch.enable": "false"}),
        rules=RULES,
    )


def test_a_name_a_key_or_the_beginning_of_an_id_means_a_file(made: Store) -> None:
    """A key means all files it matches, the name of a container that joined another one's network the other's file."""
    assert matching(made, "shop-web-1") == [WEB]
    assert matching(made, "beside") == [WEB]
    assert matching(made, "shop-all") == [key("shop-app-1"), WEB]
    assert matching(made, WEB.id[:14]) == [WEB]
    assert matching(made, key("db").id) == [], "a container that does not subscribe"
    assert matching(made, "") == []


def test_a_name_counts_before_the_beginning_of_an_id(made: Store) -> None:
    """A short name such as `fed1` may begin the id of any other container."""
    other = box("other", on("front", "10.0.0.9"), labels=ASKS)
    made.put(other)
    made.put(box(other.key.id[:4], on("front", "10.0.0.8"), labels=ASKS))
    assert matching(made, other.key.id[:4]) == [key(other.key.id[:4])]
    assert matching(made, other.key.id[:6]) == [other.key]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("shop-wbe-1", "did you mean shop-web-1?"),
        ("app", "did you mean shop-app-1?"),
        ("wbe-1", "did you mean shop-web-1?"),
        ("shopall", "did you mean shop-all?"),
        ("zzz", "`hostwatch status` lists all"),
        ("shop-app-1", "does not run"),
        ("nobody", "no container matches this entry"),
        ("db", "give it the label hostwatch.hosts or"),
        ("wrong", "label hostwatch.services is refused: "),
        ("off", "its label hostwatch.enable says so"),
        ("a\x1b[31m\nb", r"a\x1b[31m\nb: "),
    ],
)
def test_a_word_that_means_none_is_explained(made: Store, word: str, told: str) -> None:
    """With the name that was probably meant, or with what the container lacks."""
    assert told in absent(made, word)
    assert absent(made, word).isprintable()


def test_all_words_are_known(made: Store) -> None:
    """The names of all who read a file, and the keys of the configuration."""
    assert names(made) == ["beside", "fed1", "nobody", "shop-all", "shop-app-1", "shop-web-1"]


def test_only_files_that_a_process_reads_are_shown(made: Store) -> None:
    """All of them, or those that the words mean, each once. A word that means none is an error."""

    def shown(*words: str) -> list[str]:
        return [container.name for container in running(made, words)]

    assert shown() == ["fed1", "shop-web-1"]
    assert shown("shop-all", "beside", "shop-web-1") == ["shop-web-1"]
    for word in ("shop-app-1", "nobody", "db", "x"):
        with pytest.raises(NoSubscriberError, match=f"^{word}: "):
            shown("fed1", word)
