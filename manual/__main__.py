"""`python -m manual` writes the pages of the reference that are made from the code. `make reference` runs it."""

from pathlib import Path

from manual import reference

reference.write(Path(__file__).resolve().parent.parent / "docs/reference")
