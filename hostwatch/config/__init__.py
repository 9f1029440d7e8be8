"""The configuration: a YAML file in, settings or a list of faults out. It knows no engine and no hosts file."""
