"""Where the results of a file go."""

from typing import NamedTuple

from hostwatch.control.figures import FileFigures
from hostwatch.control.journal import ChangeJournal
from hostwatch.control.news import News
from hostwatch.control.notify import Notifier


class Sinks(NamedTuple):
    """Those who take the results: for the applications, for the log and the history, for the metrics, and for pages."""

    notifier: Notifier
    journal: ChangeJournal
    figures: FileFigures
    changes: News
    """Told of failures; a change of a file is told by the history."""
