"""Run a command that may not copy other processes' descriptors, as under Docker's seccomp profile.

python no_getfd.py COMMAND ...
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS = 38  # prctl(2)
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
PIDFD_GETFD = 438

# struct sock_filter (linux/bpf_common.h): look at the number of the system call, and answer EPERM.
FILTER = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x20, 0, 0, 0),  # load the word at 0 of struct seccomp_data
        (0x15, 0, 1, PIDFD_GETFD),  # skip one, unless equal
        (0x06, 0, 0, 0x00050001),  # SECCOMP_RET_ERRNO, EPERM
        (0x06, 0, 0, 0x7FFF0000),  # SECCOMP_RET_ALLOW
    )
)


def main() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(FILTER, len(FILTER))
    # struct sock_fprog: the length, padding, and a pointer.
    program = struct.pack("HxxxxxxQ", len(FILTER) // 8, ctypes.addressof(instructions))
    given = ctypes.create_string_buffer(program, len(program))
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, given, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
