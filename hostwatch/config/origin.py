"""The origin of settings, from which a later warning gets its place in the file."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hostwatch.config.document import Document, Problem
from hostwatch.config.faults import ConfigFault


@dataclass(frozen=True, slots=True)
class Origin:
    """A file with its text. All origins are equal, so that equal settings of two files compare equal."""

    path: Path = field(default=Path(), compare=False)
    document: Document = field(default_factory=lambda: Document("", None), compare=False, repr=False)

    def faults(self, problems: Iterable[Problem]) -> tuple[ConfigFault, ...]:
        """The problems with their places, in the order of the file."""
        # An alias repeats the faults of its anchor. Each is reported once.
        unique = dict.fromkeys(sorted(problems, key=lambda problem: problem.index))
        return tuple(ConfigFault(self.path, *self.document.place(p.index), p.value, p.reason) for p in unique)
