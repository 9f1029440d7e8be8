"""Where settings come from, so that what is noticed later has its place as well."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hostwatch.config.document import Document, Problem
from hostwatch.config.faults import ConfigFault


@dataclass(frozen=True, slots=True)
class Origin:
    """A file with its text. All are equal: where settings were read makes no other settings of them."""

    path: Path = field(default=Path(), compare=False)
    document: Document = field(default_factory=lambda: Document("", None), compare=False, repr=False)

    def faults(self, problems: Iterable[Problem]) -> tuple[ConfigFault, ...]:
        """The problems with their places, in the order of the file."""
        # An alias repeats what is wrong with its anchor: one fault is enough.
        unique = dict.fromkeys(sorted(problems, key=lambda problem: problem.index))
        return tuple(ConfigFault(self.path, *self.document.place(p.index), p.value, p.reason) for p in unique)
