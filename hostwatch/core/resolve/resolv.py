"""The outcome of each line that is requested for a resolv.conf."""

from collections.abc import Iterable, Sequence

from hostwatch.core.block.records import Block, Directive
from hostwatch.core.model import AddressOrWords
from hostwatch.core.references import Line
from hostwatch.core.resolv_template import MAX_SEARCH, NAMESERVER, OF_HOST, SEARCH, ResolvLine
from hostwatch.core.resolve.host_reach import network_at
from hostwatch.core.resolve.lookup import resolver_of
from hostwatch.core.resolve.outcome import (
    Gone,
    Last,
    Memory,
    Origin,
    Outcome,
    Published,
    Unknown,
    by_line,
    published,
)
from hostwatch.core.resolve.templates import line_outcome
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.sharing import Query


def resolv_outcomes(lister: Lister, queries: Sequence[Query]) -> list[Outcome]:
    """The outcomes of these requests, in their order; one for each line."""
    found = (resolv_outcome(lister, query, line) for query in queries for line in query.subscription.lines)
    return [*by_line(found).values()]


def resolv_outcome(lister: Lister, query: Query, line: Line) -> Outcome:
    """The outcome of one line."""
    if isinstance(line, ResolvLine) and line.words:
        return _of_host(lister, query, line) if line.is_of_host else _literal(line)
    resolver = resolver_of(lister, query.context, query.subscription.any_scope)
    outcome = line_outcome(resolver, query.own, query.subscription, line)
    if not isinstance(outcome, Published):
        return outcome
    directives = (Directive(record.address, (NAMESERVER,)) for record in outcome.records)
    return published(line.text, zip(directives, outcome.origins, strict=True), outcome.source)


def remembered(found: Iterable[Outcome], block: Block) -> Memory:
    """The memory that follows from a block, which an earlier run left in the file.

    A line with a reference may be any nameserver there that no line gives literally: it is one more for a moment.
    """
    lines = dict.fromkeys(outcome.line for outcome in found)
    said = {f"{record.names[0]} {record.address}": record for record in block.records}
    left = [record for text, record in said.items() if text not in lines]
    memory: dict[str, Last] = {}
    for line in lines:
        keyword, _, rest = line.partition(" ")
        records = [said[line]] if line in said else []
        if "@{" in rest or rest == OF_HOST:
            records = [record for record in left if record.names == (keyword,)]
        if records:
            memory[line] = Last(tuple(records), (Origin(),) * len(records))
    return memory


def _literal(line: ResolvLine) -> Outcome:
    return _published(line, [" ".join(line.words)])


def _published(line: ResolvLine, values: Iterable[AddressOrWords]) -> Outcome:
    return published(line.text, [(Directive(value, (line.keyword,)), Origin()) for value in values], None)


def _of_host(lister: Lister, query: Query, line: ResolvLine) -> Outcome:
    """What the host uses: its nameservers, or its search domains."""
    known = lister.host_resolver
    if known is None:
        return Unknown(line.text, "the host's resolv.conf is not read yet")
    if line.keyword == SEARCH:
        domains = list(known.search)
        while sum(len(domain) + 1 for domain in domains) > MAX_SEARCH:
            domains.pop()
        return _published(line, [" ".join(domains)]) if domains else Gone(line.text, "the host has no search domains")
    versions = _versions(lister, query)
    if addresses := [address for address in known.nameservers if address.version in versions]:
        return _published(line, addresses)
    return Gone(
        line.text, known.fault or "the host's nameservers are of another IP version than this container asks for or has"
    )


def _versions(lister: Lister, query: Query) -> set[int]:
    """The IP versions that the subscriber asks for, without one that none of its networks has.

    A server of such a version would be one of three that it asks, and never reached.
    """
    asked = {version for version, is_asked in ((4, query.subscription.ipv4), (6, query.subscription.ipv6)) if is_asked}
    networks = [network_at(lister, query.context.engine, attachment) for attachment in query.context.attachments]
    subnets = [subnet for network in networks if network is not None for subnet in network.subnets]
    return asked & {subnet.version for subnet in subnets} if subnets and None not in networks else asked
