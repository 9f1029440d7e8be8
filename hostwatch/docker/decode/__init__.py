"""Docker's JSON, turned into the core's values. Pure; the only package that knows Docker's field names.

It reads `Type`, `Action`, `Actor`, `timeNano` and `NetworkSettings.Networks`, which every API version from 1.41
(engine 20.10) to 1.52 (engine 29) has. A field that is missing or of another form is unknown, never an error, except an
id: without it there is no key.
"""
