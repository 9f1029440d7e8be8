"""Whether a file is on a file system of this machine, so that no access to it waits for another one."""

import ctypes
import os
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_STATFS_BYTES = 256
"""Room for `struct statfs`, which takes 120 bytes at most. Its first member is the type, a long (statfs(2))."""
_LOCAL = {
    0xEF53,  # ext2, ext3, ext4
    0x58465342,  # xfs
    0x9123683E,  # btrfs
    0xF2F52010,  # f2fs
    0x2FC12FC1,  # zfs
    0x01021994,  # tmpfs
}
"""The types of file systems that are always local (linux/magic.h)."""


def is_local(path: Path) -> bool:
    """Whether the path leads to a local file system, as far as is known. Blocks for as long as that one needs."""
    found = ctypes.create_string_buffer(_STATFS_BYTES)
    if _LIBC.statfs(os.fsencode(path), found) != 0:
        return False
    return ctypes.c_long.from_buffer(found).value & 0xFFFFFFFF in _LOCAL
