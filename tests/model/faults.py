"""What is wrong between hostwatch and the simulated engine, or with its files."""

import math
from dataclasses import dataclass, field

from hostwatch.core.model import ContainerId

THE_LIST = "the list"
"""What is slow by this name is the list of all containers."""
THE_ENGINE = "the engine"
"""What is slow by this name is who the engine is."""
THE_NETWORKS = "the networks"
"""What is slow by this name is the list of all networks."""
A_NETWORK = "a network"
"""What is slow by this name is each inspection of a network, for itself or for one of its endpoints."""
AN_ENTRY = "an entry"
"""What is slow by this name is the list of a single container."""
A_PING = "a ping"
"""What is slow by this name is the answer to a ping; beyond five seconds that means that the engine is away."""
THE_STREAM = "the stream"
"""What is slow by this name is the beginning of an event stream; beyond five seconds that means the same."""
A_SIGNAL = "a signal"
"""What is slow by this name is the answer to a signal."""
REQUESTS = (THE_LIST, THE_ENGINE, THE_NETWORKS, A_NETWORK, AN_ENTRY, A_PING, THE_STREAM, A_SIGNAL)
ANSWER_SECONDS = 0.001
_AWAY_SECONDS = 5.0
"""An engine that takes longer for a ping, or for the beginning of a stream, is away to hostwatch."""


@dataclass
class Faults:
    """What is wrong at present."""

    away: str = ""
    """`cut`: every request fails and the stream ends; `hung`: nothing answers, nothing ends."""
    since: float = -math.inf
    """When the engine went away last, or came back."""
    refused: dict[str, float] = field(default_factory=dict)
    """The containers whose inspection fails with a 500, and since when."""
    slow: dict[str, float] = field(default_factory=dict)
    """The containers whose inspection takes longer, or other requests, and by how many seconds."""
    stuck_files: set[ContainerId] = field(default_factory=set)
    """The containers whose hosts file cannot be written."""
    is_disk_full: bool = False
    """Whether no hosts file can be written."""
    is_directory_gone: bool = False
    """Whether hostwatch does not see the engine's directory."""
    is_deaf: bool = False
    """Whether changes of files are lost, as the kernel's queue of them is full."""
    is_kept_elsewhere: bool = False
    """Whether another hostwatch keeps the files, so that this one stands by."""

    @property
    def none(self) -> bool:
        """Whether nothing is wrong."""
        return self.is_engine_right and not self.is_any_file_stuck and not self.is_kept_elsewhere

    @property
    def is_engine_right(self) -> bool:
        """Whether the engine answers whatever it is asked, at once."""
        return not (self.away or self.refused or self.slow)

    @property
    def is_told(self) -> bool:
        """Whether the engine answers so soon that neither it nor a container is given up."""
        return not (self.away or self.refused or any(seconds >= _AWAY_SECONDS for seconds in self.slow.values()))

    @property
    def is_unheard(self) -> bool:
        """Whether the engine is away, or is taken for that."""
        return bool(self.away) or any(self.slow.get(kind, 0.0) >= _AWAY_SECONDS for kind in (A_PING, THE_STREAM))

    @property
    def is_any_file_stuck(self) -> bool:
        """Whether some hosts file cannot be written."""
        return bool(self.stuck_files) or self.is_disk_full or self.is_directory_gone

    def is_stuck(self, file: ContainerId) -> bool:
        """Whether a container's hosts file cannot be written."""
        return file in self.stuck_files or self.is_disk_full or self.is_directory_gone

    def delay(self, request: str) -> float:
        """How long the answer to a request takes, in seconds."""
        return self.slow.get(request, ANSWER_SECONDS)
