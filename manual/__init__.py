"""Writes the documentation that is made from the code: the reference, the man page, and the completions of shells.

Facts come from the code, and sentences that only people can write from the modules and templates beside this one. Tests
compare what is written with what is committed, and fail for a command, a key or a metric of which nothing is said.
"""
