"""Reads pages of the documentation as a person does: types their commands on a real machine, and compares the output.

`python -m tests.reader PAGE` runs one page. `README.md` has the form of a page.
"""
