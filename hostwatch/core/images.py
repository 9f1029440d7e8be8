"""Names of images: the texts that mean the same image to Docker (distribution/reference, `normalize.go`).

The full form of `mariadb` is `docker.io/library/mariadb:latest`. Docker tells the form that a container was created
with, which may be any of them. Podman always tells the full form.
"""

from collections.abc import Iterator
from functools import lru_cache

_HUB = ("docker.io/", "index.docker.io/")
_OFFICIAL = "library/"


@lru_cache(maxsize=1024)
def spellings(image: str) -> tuple[str, ...]:
    """All forms of an image's name: the given one, the full one, and each shorter one.

    A name with a tag and a digest also has the forms with only one of them. An image's id has no other form.
    """
    if ":" in image and image.partition(":")[0] == "sha256":
        return (image,)
    name, _, digest = image.partition("@")
    repository, tag = _split(name)
    versions = [f":{tag}@{digest}", f":{tag}", f"@{digest}"] if tag and digest else []
    versions = versions or [f"@{digest}" if digest else f":{tag or 'latest'}"]
    found = [image, *(spelling + version for spelling in _repositories(repository) for version in versions)]
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=1024)
def with_any_tag(glob: str) -> tuple[str, ...]:
    """The glob and, if it has no tag, its forms with any tag and with any digest."""
    if "@" in glob or _split(glob)[1]:
        return (glob,)
    return glob, f"{glob}:*", f"{glob}@*"


def _split(name: str) -> tuple[str, str]:
    """Repository and tag. A colon before the last slash belongs to a registry's port."""
    start = name.rfind("/") + 1
    last, _, tag = name[start:].partition(":")
    return name[:start] + last, tag


def _repositories(repository: str) -> Iterator[str]:
    """All forms of a repository's name."""
    first, slash, rest = repository.partition("/")
    is_registry = bool(slash) and (first == "localhost" or "." in first or ":" in first)
    if is_registry and f"{first}/" not in _HUB:
        yield repository
        return
    path = rest if is_registry else repository
    short = path.removeprefix(_OFFICIAL)
    for form in (short, _OFFICIAL + short) if "/" not in short else (path,):
        yield form
        yield from (hub + form for hub in _HUB)
