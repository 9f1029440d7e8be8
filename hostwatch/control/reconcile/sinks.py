"""Where the results of a file go."""

from typing import NamedTuple

from hostwatch.control.figures import FileFigures
from hostwatch.control.journal import ChangeJournal
from hostwatch.control.notify import Notifier


class Sinks(NamedTuple):
    """Those who take the results: for the applications, for the log and the history, and for the metrics."""

    notifier: Notifier
    journal: ChangeJournal
    figures: FileFigures
