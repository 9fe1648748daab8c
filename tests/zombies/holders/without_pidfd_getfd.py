"""Runs a program in which pidfd_getfd is not permitted, as under Yama or a container's seccomp profile.

python3 without_pidfd_getfd.py PROGRAM ARGUMENT...
"""

import ctypes
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SYS_PIDFD_GETFD = 438
ALLOW, FAIL_WITH_EPERM = 0x7FFF0000, 0x00050001
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06

FILTER = [
    (LOAD, 0, 0, 0),
    (JUMP_IF_EQUAL, 0, 1, SYS_PIDFD_GETFD),
    (RETURN, 0, 0, FAIL_WITH_EPERM),
    (RETURN, 0, 0, ALLOW),
]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def prctl(*arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(*arguments) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in FILTER))
program = Program(len(FILTER), ctypes.addressof(code))
prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
