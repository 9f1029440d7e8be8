"""Valid settings and label values that are probably mistakes."""

from collections.abc import Iterator

from hostwatch.config import cautions
from hostwatch.config.resolv_cautions import ALL_NAMES
from hostwatch.config.settings import Settings
from hostwatch.core.resolve.hiding import hidings
from hostwatch.core.resolve.unanswered import unanswered
from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, warning

_HIDING_REMEDY = f"{ALL_NAMES}; or have that server ask one which knows them (docs/how-to/resolv.md)"
_REMEDY = "correct it, if it is not meant so"


def configured(settings: Settings, evidence: Evidence | None) -> Iterator[Finding]:
    """The cautions of the configuration; without evidence those that need no engine."""
    alone = *cautions.of_file(settings), *cautions.of_machine(settings)
    yield from (warning(str(caution), _REMEDY) for caution in alone)
    if evidence is None:
        yield from (warning(str(caution), _REMEDY) for caution in cautions.without_engine(settings))
    else:
        engine = evidence.engine.id
        yield from (warning(str(caution), _REMEDY) for caution in cautions.beside(settings, evidence.store, engine))
        yield from (warning(str(each), _REMEDY) for each in unanswered(evidence.store, engine))
        yield from (warning(str(each), _HIDING_REMEDY) for each in hidings(evidence.store, engine))
