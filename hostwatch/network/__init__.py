"""The host's own network, as its kernel tells it."""
