"""The file of the history: an SQLite database that one daemon writes and others may read."""
