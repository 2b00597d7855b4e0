"""no_netlink.py [--all] PROGRAM ARGUMENT...: runs a program as on a system that does not report network changes.

Most systems have nothing like the route socket of Linux, or none that a program may open. A seccomp(2) filter refuses the
one that halloo opens. Listing the addresses of the machine, for which the C library opens another, still works, except
with --all, which refuses both as systemd does without AF_NETLINK in RestrictAddressFamilies.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # linux/filter.h: BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ, BPF_RET
ALLOW, REFUSE, REFUSE_FAMILY = 0x7FFF0000, 0x00050000 | errno.EPROTONOSUPPORT, 0x00050000 | errno.EAFNOSUPPORT
NUMBER, FIRST, SECOND = 0, 16, 24  # offsets in struct seccomp_data: the system call and its arguments
SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
AF_NETLINK, SOCK_RAW, SOCK_NONBLOCK, SOCK_CLOEXEC = 16, 3, 0o4000, 0o2000000

FILTER = [
    (LOAD, 0, 0, NUMBER),
    (EQUAL, 0, 5, SOCKET),
    (LOAD, 0, 0, FIRST),
    (EQUAL, 0, 3, AF_NETLINK),
    (LOAD, 0, 0, SECOND),
    (EQUAL, 0, 1, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC),
    (RETURN, 0, 0, REFUSE),
    (RETURN, 0, 0, ALLOW),
]
FILTER_ALL = [
    (LOAD, 0, 0, NUMBER),
    (EQUAL, 0, 3, SOCKET),
    (LOAD, 0, 0, FIRST),
    (EQUAL, 0, 1, AF_NETLINK),
    (RETURN, 0, 0, REFUSE_FAMILY),
    (RETURN, 0, 0, ALLOW),
]


class Program(ctypes.Structure):
    """struct sock_fprog of linux/filter.h."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def main():
    command = sys.argv[1:]
    used = FILTER
    if command[0] == "--all":
        command, used = command[1:], FILTER_ALL
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = b"".join(struct.pack("HBBI", *instruction) for instruction in used)
    program = Program(len(used), instructions)
    for option, argument, more in (
        (PR_SET_NO_NEW_PRIVS, 1, None),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)),
    ):
        if libc.prctl(option, argument, more, None, None) != 0:
            sys.exit(f"cannot filter system calls: {os.strerror(ctypes.get_errno())}")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
