"""A simulated engine, the real daemon on it, and an oracle of the contract: random histories run on all three."""
