"""`python -m hostwatch`."""

from hostwatch.cli import main

main()
