"""Valid settings and label values that are probably mistakes."""

from collections.abc import Iterator

from hostwatch.config import cautions
from hostwatch.config.settings import Settings
from hostwatch.core.resolve.unanswered import unanswered
from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, warning

_REMEDY = "correct it, if it is not meant so"


def configured(settings: Settings, evidence: Evidence | None) -> Iterator[Finding]:
    """The cautions of the configuration; without evidence those that need no engine."""
    yield from (warning(str(caution), _REMEDY) for caution in cautions.of_file(settings))
    if evidence is None:
        yield from (warning(str(caution), _REMEDY) for caution in cautions.of_names(settings))
    else:
        engine = evidence.engine.id
        yield from (warning(str(caution), _REMEDY) for caution in cautions.beside(settings, evidence.store, engine))
        yield from (warning(str(each), _REMEDY) for each in unanswered(evidence.store, engine))
