"""The containers that one network context can reach."""

from collections.abc import Iterable

from hostwatch.core.model import Container, ContainerKey
from hostwatch.core.resolve.reach import in_reach
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.network_context import NetworkContext


class Reachable:
    """The containers that a subscriber in this context could reach if they ran."""

    def __init__(self, lister: Lister, context: NetworkContext, any_scope: bool) -> None:
        self._lister = lister
        self._context = context
        self._any_scope = any_scope
        self._found: dict[ContainerKey, bool] = {}
        """Answers so far. Each container is looked up several times for each name."""

    def __contains__(self, container: Container) -> bool:
        if self._lister.is_recording:
            return self._is_reached(container)
        found = self._found.get(container.key)
        if found is None:
            found = self._found[container.key] = self._is_reached(container)
        return found

    def _is_reached(self, container: Container) -> bool:
        same_engine = container.key.engine == self._context.engine
        return same_engine and in_reach(self._lister, self._context, container, self._any_scope)

    def candidates(self) -> Iterable[Container]:
        """All containers that may be in reach."""
        if not self._context.is_known:
            return ()
        lister, context = self._lister, self._context
        if self._any_scope or not context.attachments:
            return lister.containers
        near = [c for attachment in context.attachments for c in lister.on_network(context.engine, attachment)]
        near += lister.host_mode(context.engine)
        joined = [lister.container(joiner) for c in near for joiner in lister.joins.joiners(c.key)]
        return {c.key: c for c in (*near, *joined) if c is not None}.values()
