"""Writes a file that is not there yet: whole or not at all, and never over another one."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

_MODE, _DIRECTORY_MODE = 0o644, 0o755


class NewFileError(Exception):
    """The file could not be written. The message tells what to do."""


def refuse_existing(path: Path) -> None:
    """Raise `NewFileError` if there is something with this name, be it a link to nothing."""
    if os.path.lexists(path):
        raise NewFileError(
            f"{path} is there and stays as it is; `hostwatch init --stdout` prints the proposal, `-c FILE` writes it"
            " elsewhere"
        )


def write_new(path: Path, text: str) -> None:
    """Write a file for everybody to read, with its directory if that is missing. Raises `NewFileError`."""
    refuse_existing(path)
    temporary = None
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
            path.parent.chmod(_DIRECTORY_MODE)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 (a descriptor has no path)
            file.write(text)
            file.flush()
            os.fchmod(descriptor, _MODE)
            os.fsync(descriptor)
        os.link(temporary, path)  # unlike a rename, it fails if somebody was faster
    except FileExistsError:
        refuse_existing(path)
        raise NewFileError(f"{path.parent} is no directory; write to another place by `-c FILE`") from None
    except OSError as error:
        remedy = _REMEDIES.get(type(error), "mend that, or write to another place by `-c FILE`")
        raise NewFileError(f"cannot write {path}: {error.strerror}; {remedy}") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 (it may have become unreachable, too)


_REMEDIES: dict[type[OSError], str] = {PermissionError: "run it as root, or write to another place by `-c FILE`"}
