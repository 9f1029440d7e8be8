"""The grammar of templates for a resolv.conf: `nameserver`, `search` and `options`, as resolv.conf(5) has them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hostwatch.core.names import name_fault
from hostwatch.core.references import FaultError, Line, Parsed, TemplateFault, Word, check_address, parsed_lines

NAMESERVER, SEARCH, OPTIONS = KEYWORDS = ("nameserver", "search", "options")
ENGINE_RESOLVER = "127.0.0.11"
"""The engine's own resolver, on networks that a user has made."""
OF_HOST = "host"
"""In the place of the words: what the host uses now."""
MAX_SEARCH = 256
"""The longest list of domains, in characters: musl and glibc before 2.26 take no more (resolv.conf(5))."""

_FLAGS = frozenset(
    (
        *("debug", "rotate", "no-check-names", "inet6", "ip6-bytestring", "ip6-dotint", "no-ip6-dotint", "edns0"),
        *("single-request", "single-request-reopen", "no-tld-query", "use-vc", "no-reload", "trust-ad", "no-aaaa"),
    )
)
_NUMBERS = ("ndots", "timeout", "attempts")
_GLUED = re.compile(r"[^\s#]+#\S*")
_NO_PORT = "an address has no port, and a comment begins behind a blank"
_NUMBER = re.compile(rf"({'|'.join(_NUMBERS)}):[0-9]{{1,3}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ResolvLine(Line):
    """One line of a template for a resolv.conf. `address` is that of a nameserver, if it is no other."""

    keyword: str = NAMESERVER
    words: tuple[str, ...] = ()
    """Those of `search` and `options`, or the one word `host`."""

    def __hash__(self) -> int:
        return hash(self.text)

    @property
    def is_of_host(self) -> bool:
        """Whether it is what the host uses."""
        return self.keyword != OPTIONS and self.words == (OF_HOST,)


def parsed_resolv(text: str) -> Parsed:
    """The lines of a template, blank ones and comments left out, and the faults of those that cannot be read."""
    lines, faults = parsed_lines(text, _parsed_line)
    rows = text.split("\n")
    glued = {line.row: found for line in lines if (found := _GLUED.search(rows[line.row])) is not None}
    faults += tuple(TemplateFault(row, found.start(), found[0][:200], _NO_PORT) for row, found in glued.items())
    return tuple(line for line in lines if line.row not in glued), tuple(sorted(faults, key=lambda fault: fault.row))


def is_option(word: str) -> bool:
    """Whether resolv.conf(5) knows this option."""
    return word in _FLAGS or _NUMBER.fullmatch(word) is not None


def _parsed_line(row: int, words: Sequence[Word]) -> ResolvLine:
    keyword, *others = words
    if keyword.text not in KEYWORDS:
        known = ", ".join(KEYWORDS)
        raise FaultError(keyword.column, keyword.text, f"a line begins with one of {known}")
    if not others:
        raise FaultError(keyword.column, keyword.text, f"behind {keyword.text} something is needed")
    text, values = " ".join(word.text for word in words), tuple(word.text for word in others)
    if keyword.text == NAMESERVER and values != (OF_HOST,):
        if len(others) > 1:
            raise FaultError(others[1].column, others[1].text, "a line has one nameserver; give each a line of its own")
        check_address(others[0], f"behind {NAMESERVER} stands an address")
        return ResolvLine(text, others[0].parts, ((NAMESERVER,),), row)
    if keyword.text != NAMESERVER:
        _check_words(keyword.text, others)
    return ResolvLine(text, (), (), row, keyword.text, values)


def _domain_fault(domain: str, count: int) -> str | None:
    """Why one of so many domains cannot be searched; `None` if it can. The root alone means: no domain."""
    if count == 1 and domain in (OF_HOST, "."):
        return None
    if domain == OF_HOST:
        return "`search host` is a line of its own, with no other domain"
    return name_fault(domain.removesuffix("."))


def _check_words(keyword: str, words: Sequence[Word]) -> None:
    for word in words:
        if any(not isinstance(part, str) for part in word.parts):
            raise FaultError(word.column, word.text, f"a reference stands behind {NAMESERVER} only")
        if keyword == OPTIONS and not is_option(word.text):
            raise FaultError(word.column, word.text, "resolv.conf(5) knows no such option")
        if keyword == SEARCH and (fault := _domain_fault(word.text, len(words))) is not None:
            raise FaultError(word.column, word.text, fault)
    if keyword == SEARCH and sum(len(word.text) + 1 for word in words) > MAX_SEARCH:
        raise FaultError(words[0].column, words[0].text, f"more than {MAX_SEARCH} characters, which musl does not take")
