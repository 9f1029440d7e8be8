"""The causes of looks at files, in the words that the log and the history have of them.

What stands below each is its meaning for an operator, and the documentation shows it. An event of the engine is a cause
in its own words (`hostwatch.control.source.Event`).
"""

RESYNC = "resync"
"""The regular comparison of everything, also the first one of a daemon and that after a lost connection."""
LINGER_OVER = "linger is over"
"""A service had been gone for `timing.linger`, so its lines went."""
DRIFT = "drift"
"""Somebody else had changed the block, and it was put back."""
FILE_CHANGED = "the file was changed"
"""Somebody had written the file while it was not known to be right."""
REBUILT = "the engine rebuilt the file"
"""The engine wrote the file anew, as at each start, and the block was put in again."""
CHANGES_LOST = "changes of files were lost"
"""The kernel did not tell of all writes, so every file was compared."""
CONFIGURATION = "configuration"
"""SIGHUP brought another configuration."""
OTHER_ENGINE = "another engine"
"""Another engine answers at the address, so all that was known of the earlier one went."""
TAKEOVER = "takeover"
"""Another hostwatch kept the files until now."""
TRYING_AGAIN = "trying again"
"""The file could not be read or written before."""
TRYING_PATH = "trying its path again"
"""The file was written by exec, as its path could not be written before."""
REMOVAL = "removal"
"""The daemon ended with `on_exit: remove`, and took its blocks out."""
GARBAGE_COLLECTION = "garbage collection"
"""A block stood in a file that nobody subscribes to, and was taken out."""
AWAY = "while hostwatch was away"
"""A daemon has started, and the file was not as the last one had left it: nobody knows when and why it was changed."""
JOINED = "another container joins its network"
"""A container that was not known yet lends its network to another one, so it was read."""
UNCONFIRMED = "an early address was not confirmed"
"""An address was known from the engine's own line in a file, and no event confirmed it, so the engine was asked."""
HOST_ADDRESS = "the host's address"
"""With `advertise: auto`: this host's address to others is another one."""
HOST_RESOLVER = "the host's resolv.conf"
"""The nameservers or search domains of the host are others, and a `resolv:` asks for them."""
GOSSIP = "gossip of the swarm"
"""A swarm's gossip has another address on an overlay network: what another node has there."""
STORE_READ = "the shared store was read"
"""With `cluster:`: all that other hosts have was read, at first or after the store was away."""
NOT_BACK = "its host did not come back after the shared store"
"""With `cluster:`: the store had been away, and a host whose lease ran out meanwhile did not publish anew."""


def start_of(name: str) -> str:
    """The engine wrote an address into the starting container's own hosts file, which was seen before any event."""
    return f"start of {name}"


def connection_of(name: str) -> str:
    """The engine wrote another address into the running container's own hosts file, which was seen before any event."""
    return f"connection of {name}"


def put_of(subject: str) -> str:
    """With `cluster:`: another host publishes a service, or publishes it with other addresses."""
    return f"put of {subject}"


def delete_of(subject: str) -> str:
    """With `cluster:`: another host publishes a service no more; its lease may have run out."""
    return f"delete of {subject}"
