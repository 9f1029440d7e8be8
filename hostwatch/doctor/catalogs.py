"""Whether the catalogs of the configuration can be asked from here, and whether they have anything."""

from collections.abc import Iterator

import anyio

from hostwatch.catalog_clients import open_catalog
from hostwatch.config.settings import Settings
from hostwatch.control.catalog import Catalog, CatalogError
from hostwatch.core.catalog import Entry, Refusal
from hostwatch.core.names import told
from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, fine, problem, warning
from hostwatch.doctor.seclusion import secluded
from hostwatch.drop_ins import opening

_SECONDS = 5.0
"""Time for each catalog."""
_LOOK = "look whether it runs there, and at routes and firewalls on the way"


def catalogs(settings: Settings, evidence: Evidence | None) -> Iterator[Finding]:
    """The findings; none without a service `from` a catalog."""
    asked: dict[Catalog, list[str]] = {}
    for service, catalog in settings.catalogs().items():
        asked.setdefault(catalog, []).append(service)
    if asked and (who := secluded(evidence.holder if evidence is not None else None)) is not None:
        yield problem(f"catalogs: {who} has a network of its own, without a way to them", f"use {opening('cluster')}")
        return
    for catalog, services in asked.items():
        found = anyio.run(_entries, catalog)
        if isinstance(found, str):
            what, _, remedy = found.partition("; ")
            yield problem(f"services {', '.join(services)}: {catalog}: {what}", remedy or _LOOK)
        else:
            yield from of_entries(catalog, services, found)


async def _entries(catalog: Catalog) -> list[Entry] | str:
    """What a catalog has, or why it does not tell."""
    try:
        with anyio.fail_after(_SECONDS):
            async with open_catalog(catalog) as client:
                return [*await client.entries(_SECONDS)]
    except CatalogError as error:
        return str(error)
    except TimeoutError:
        return f"no answer in time ({_SECONDS:.0f} s); {_LOOK}"


def of_entries(catalog: Catalog, services: list[str], entries: list[Entry]) -> Iterator[Finding]:
    """The findings of what a catalog has."""
    refused = [entry for entry in entries if isinstance(entry, Refusal)]
    who, count = ", ".join(services), len(entries) - len(refused)
    if refused:
        what = f"services {who}: {catalog} has {len(refused)} entries that are refused"
        yield warning(f"{what}, as {told(refused[0].key)}: {refused[0].reason}", "correct what registers them")
    if count:
        yield fine(f"services {who}: {catalog} has instances: {count}")
    elif not refused:
        yield warning(
            f"services {who}: {catalog} has no instance", "look at the name in `from`, and at what registers it"
        )
