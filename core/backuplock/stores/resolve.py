"""One system call for a whole path that follows no link: Linux's openat2(2), where there is one.

Source of numbers and fields: include/uapi/linux/openat2.h and asm-generic/unistd.h of Linux 5.6.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Callable

_OPENAT2 = 437
_NO_SYMLINKS = 0x04 | 0x02
"""Neither those of a file system nor those of /proc."""
_MACHINES = frozenset({"x86_64", "aarch64", "riscv64", "ppc64le", "s390x"})
"""Those that number their system calls alike."""

_Opener = Callable[[int, bytes, int], int]


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@functools.cache
def opener() -> _Opener | None:
    """Opens a path below a descriptor, with `os.open`'s flags, and gives the new descriptor; None where the
    system cannot. A link anywhere in the path raises OSError (ELOOP), else all is as `os.open` has it."""
    if sys.platform != "linux" or os.uname().machine not in _MACHINES:
        return None
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    call.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
    size = ctypes.sizeof(_How)

    def opened(parent: int, path: bytes, flags: int) -> int:
        how = _How(flags, 0, _NO_SYMLINKS)
        while True:
            found: int = call(_OPENAT2, parent, path, ctypes.byref(how), size)
            if found >= 0:
                return found
            code = ctypes.get_errno()
            if code != errno.EINTR:
                raise OSError(code, os.strerror(code))

    try:
        os.close(opened(-100, b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    except OSError as error:
        # Kernels before 5.6 do not know it, and sandboxes may forbid what they do not know.
        if error.errno in (errno.ENOSYS, errno.EPERM, errno.EINVAL):
            return None
    return opened
