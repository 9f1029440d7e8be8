"""hostwatch as a user who may nothing: its program gives up root's rights once it has loaded what it needs."""

from collections.abc import Iterable

USER = 65534
"""`nobody`, and the group of the same number."""
_PROGRAM = """\
import os
import anyio._backends._asyncio, concurrent.futures.thread, uvloop
import {modules}
from hostwatch.cli import main
os.setgroups({groups})
os.setresgid({user}, {user}, {user})
os.setresuid({user}, {user}, {user})
main()
"""


def program(*modules: str, groups: Iterable[int] = ()) -> str:
    """The text of the program. Later these modules may be out of its sight. `groups` are all that it has besides."""
    return _PROGRAM.format(modules=", ".join(modules), groups=[*groups], user=USER)
