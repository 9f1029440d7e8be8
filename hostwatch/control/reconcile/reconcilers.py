"""The reconcilers of an engine's files: one for each kind, so that neither waits for the other."""

from typing import NamedTuple

from hostwatch.control.reconcile.reconciler import Reconciler
from hostwatch.control.standing import Standing
from hostwatch.core.model import Container


class Reconcilers(NamedTuple):
    """The reconcilers of one engine's files."""

    hosts: Reconciler
    resolv: Reconciler

    def standing(self, container: Container) -> Standing:
        """How the container's files stand, as far as is known."""
        standing = self.hosts.standing(container)
        if not self.resolv.is_concerned(container.key):
            return standing
        return standing._replace(resolv=self.resolv.standing(container))

    def seen_again(self) -> None:
        """The engine's directory is another one: files that were out of sight may be in it."""
        for reconciler in self:
            reconciler.seen_again()

    async def remove_all(self, *, of_host: bool) -> None:
        """Take our block out of every file that is kept; `of_host`: of those on the host, too."""
        for reconciler in self:
            await reconciler.remove_all(of_host=of_host)
