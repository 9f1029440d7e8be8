"""Subscribers whose network is gone: nothing that their hosts file could say would help them, so it is logged, once."""

from loguru import logger

from hostwatch.control.reconcile.rewriting import LOST_NETWORK, OUTLIVED
from hostwatch.core.model import ContainerKey
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.sharing import Sharing


class LostNetworks:
    """The subscribers of which it was logged."""

    def __init__(self, store: Lister) -> None:
        self._store = store
        self._logged: set[ContainerKey] = set()

    def look_at(self, sharing: Sharing) -> None:
        """Log each subscriber of a file whose network is gone, if that is new."""
        for request in sharing.requests:
            subscriber = request.subscriber
            if not request.query.context.has_lost_network:
                self._logged.discard(subscriber.key)
            elif subscriber.key not in self._logged:
                self._logged = {known for known in self._logged if self._store.container(known) is not None}
                self._logged.add(subscriber.key)
                why = OUTLIVED if self._store.joins.has_outlived(subscriber) else LOST_NETWORK
                logger.error("{}: {}", subscriber.name, why)

    def forget(self, key: ContainerKey) -> None:
        """The container is gone."""
        self._logged.discard(key)
