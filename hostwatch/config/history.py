"""The settings of the history."""

from typing import Annotated

from pydantic import AfterValidator, Field

from hostwatch.config.section import Section
from hostwatch.config.values import AbsolutePath, Duration, duration_schema


def _at_least_a_minute(seconds: float) -> float:
    if seconds < 60:
        raise ValueError("must be at least 1m: a shorter history tells less than the daemon's memory")
    return seconds


KeepDuration = Annotated[Duration, AfterValidator(_at_least_a_minute), duration_schema(60)]


class HistorySettings(Section):
    """The history."""

    file: AbsolutePath | None = Field(
        None,
        description="A file that the changes are kept in, an absolute path; it is made at need, for root alone. "
        "Absent: only the last 1,000 changes are known, in the daemon's memory.",
        examples=["/var/lib/hostwatch/history.db"],
    )
    keep: KeepDuration = Field(
        30 * 86400.0,
        description="With `file`: how long changes are kept, as in 12h or 30d, at least 1m. With the default, 30d, "
        "some thousand changes a day take some 20 MB; of more than 256 MB the oldest go first.",
    )
