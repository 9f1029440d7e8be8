"""What is valid and can hardly be meant, in the configuration and in what labels ask for."""

from collections.abc import Iterator

from hostwatch.config import Settings, cautions
from hostwatch.core.resolve.unanswered import unanswered
from hostwatch.doctor.finding import Finding, warning
from hostwatch.doctor.view import View

_REMEDY = "correct it, if it is not meant so"


def configured(settings: Settings, view: View | None) -> Iterator[Finding]:
    """What the file shows, alone or beside the engine's containers."""
    yield from (warning(str(caution), _REMEDY) for caution in cautions.of_file(settings))
    if view is None:
        yield from (warning(str(caution), _REMEDY) for caution in cautions.of_names(settings))
    else:
        engine = view.engine.id
        yield from (warning(str(caution), _REMEDY) for caution in cautions.beside(settings, view.store, engine))
        yield from (warning(str(each), _REMEDY) for each in unanswered(view.store, engine))
