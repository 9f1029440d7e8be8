"""Makes the packages that people install: `python -m release`, or `make dist` for all of them."""
