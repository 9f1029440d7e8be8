"""A model of an engine and of what the contract says about it, to which random histories are put."""
