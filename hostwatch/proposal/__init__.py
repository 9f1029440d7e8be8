"""A first configuration for what runs here now, and the systemd unit for this machine: what `hostwatch init` writes.

It only looks at what a survey has read. `groups.py` sorts the containers, `entries.py` makes entries of them,
`effects.py` has the resolver of the daemon tell what each would write, and `text.py` writes all down, commented out.
"""
