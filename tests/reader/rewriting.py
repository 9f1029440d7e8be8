"""Puts into a page what its commands really showed."""

from tests.reader.comparison import ANY
from tests.reader.reading import Found, Reading


def rewritten(text: str, reading: Reading) -> str:
    """The page with the machine's output and addresses, where it shows any."""
    lines = [reading.bindings.told(line) for line in text.splitlines()]
    for found in reversed(reading.found):
        command = found.command
        if command.shown:
            begin = command.end - 1
            lines[begin : begin + len(command.shown)] = _shown(found, reading)
    return "".join(f"{line}\n" for line in lines)


def _shown(found: Found, reading: Reading) -> list[str]:
    """The whole output; where the page leaves lines out and is right, it is kept as it is."""
    command = found.command
    if found.is_right and any(line.strip() == ANY for line in command.shown):
        return [command.indent + reading.bindings.told(line) for line in command.shown]
    return [f"{command.indent}{line}".rstrip() for line in found.lines]
