"""The faults between hostwatch and the simulated engine, and those of its files."""

import math
from dataclasses import dataclass, field

from hostwatch.core.model import ContainerId

THE_LIST = "the list"
"""Key in `Faults.slow` of the list of all containers."""
THE_ENGINE = "the engine"
"""Key of the engine's identity."""
THE_NETWORKS = "the networks"
"""Key of the list of all networks."""
A_NETWORK = "a network"
"""Key of each inspection of a network, for itself or for one of its endpoints."""
AN_ENTRY = "an entry"
"""Key of the list of a single container."""
A_PING = "a ping"
"""Key of a ping. After five seconds without an answer the engine counts as away."""
THE_STREAM = "the stream"
"""Key of the beginning of an event stream. After five seconds without it the engine counts as away."""
A_SIGNAL = "a signal"
"""Key of a signal to a container."""
REQUESTS = (THE_LIST, THE_ENGINE, THE_NETWORKS, A_NETWORK, AN_ENTRY, A_PING, THE_STREAM, A_SIGNAL)
ANSWER_SECONDS = 0.001
_AWAY_SECONDS = 5.0
"""hostwatch takes an engine for away that needs longer for a ping, or for the beginning of a stream."""


@dataclass
class Faults:
    """The present faults."""

    away: str = ""
    """`cut`: every request fails and the stream ends; `hung`: nothing answers, nothing ends."""
    since: float = -math.inf
    """The time at which the engine last went away or came back."""
    refused: dict[str, float] = field(default_factory=dict)
    """The names of containers with inspections that fail with a 500, each with the time since when they fail."""
    slow: dict[str, float] = field(default_factory=dict)
    """The seconds that a slow request takes, by a container's name for its inspections, or by one of the keys above."""
    stuck_files: set[ContainerId] = field(default_factory=set)
    """The containers with a hosts file that cannot be written."""
    is_disk_full: bool = False
    """Whether no hosts file can be written."""
    is_directory_gone: bool = False
    """Whether hostwatch does not see the engine's directory."""
    is_deaf: bool = False
    """Whether changes of files are lost, because the kernel's queue is full."""
    is_kept_elsewhere: bool = False
    """Whether another hostwatch keeps the files, so that this one is in standby."""

    @property
    def none(self) -> bool:
        """Whether there is no fault."""
        return self.is_engine_right and not self.is_any_file_stuck and not self.is_kept_elsewhere

    @property
    def is_engine_right(self) -> bool:
        """Whether the engine answers every request at once."""
        return not (self.away or self.refused or self.slow)

    @property
    def is_told(self) -> bool:
        """Whether the engine answers so soon that neither the engine nor a container is given up."""
        return not (self.away or self.refused or any(seconds >= _AWAY_SECONDS for seconds in self.slow.values()))

    @property
    def is_unheard(self) -> bool:
        """Whether the engine is away, or counts as away."""
        return bool(self.away) or any(self.slow.get(kind, 0.0) >= _AWAY_SECONDS for kind in (A_PING, THE_STREAM))

    @property
    def is_any_file_stuck(self) -> bool:
        """Whether some hosts file cannot be written."""
        return bool(self.stuck_files) or self.is_disk_full or self.is_directory_gone

    def is_stuck(self, file: ContainerId) -> bool:
        """Whether a container's hosts file cannot be written."""
        return file in self.stuck_files or self.is_disk_full or self.is_directory_gone

    def delay(self, request: str) -> float:
        """The seconds that the answer to a request takes."""
        return self.slow.get(request, ANSWER_SECONDS)
