"""The containers that one network context can reach."""

from collections.abc import Iterable, Iterator

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
        found = self._found.get(container.key)
        if found is None:
            same_engine = container.key.engine == self._context.engine
            found = same_engine and in_reach(self._lister, self._context, container, self._any_scope)
            self._found[container.key] = found
        return found

    def __iter__(self) -> Iterator[Container]:
        """All of them that are enabled."""
        if self._context.is_known:
            for container in self._candidates():
                if self._lister.roles(container.key).enabled and container in self:
                    yield container

    def _candidates(self) -> Iterable[Container]:
        lister, context = self._lister, self._context
        if self._any_scope or not context.attachments:
            return lister.containers
        near = [c for attachment in context.attachments for c in lister.on_network(context.engine, attachment)]
        near += lister.host_mode(context.engine)
        joined = [lister.container(joiner) for c in near for joiner in lister.joins.joiners(c.key)]
        return {c.key: c for c in (*near, *joined) if c is not None}.values()
