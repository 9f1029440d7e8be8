"""The addresses that files hold although nothing confirms them.

A container that gets one of them affects that file, whose line must go at once.
"""

from hostwatch.core.model import AddressOrWords, Container, ContainerKey, EngineId, FileKind


class UnconfirmedAddresses:
    """Such addresses, with the files that hold them. As a rule there are none."""

    def __init__(self) -> None:
        self._of_files: dict[tuple[ContainerKey, FileKind], frozenset[AddressOrWords]] = {}
        self._files: dict[tuple[EngineId, AddressOrWords], set[tuple[ContainerKey, FileKind]]] = {}

    def note(self, owner: ContainerKey, addresses: frozenset[AddressOrWords], kind: FileKind = FileKind.HOSTS) -> None:
        """Note all such addresses in a file."""
        file = owner, kind
        for address in self._of_files.pop(file, ()):
            files = self._files[owner.engine, address]
            files.discard(file)
            if not files:
                del self._files[owner.engine, address]
        if addresses:
            self._of_files[file] = addresses
        for address in addresses:
            self._files.setdefault((owner.engine, address), set()).add(file)

    def owners(self, container: Container) -> set[ContainerKey]:
        """The owners of files that hold an address which the container has."""
        if not self._files:
            return set()
        engine = container.key.engine
        found = [self._files.get((engine, address), ()) for e in container.endpoints for address in e.addresses]
        return {owner for files in found for owner, _ in files}
