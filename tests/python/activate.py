"""activate.py KIND PROGRAM ARGUMENT...: runs a program as systemd does with sockets that it has opened (sd_listen_fds(3)).

KIND is `one` or `two` for listening sockets on loopback, `connection` for a connected one, `datagram` for a UDP socket.
"""

import fcntl
import os
import socket
import sys

FIRST = 3  # SD_LISTEN_FDS_START


def listener():
    return socket.create_server(("127.0.0.1", 0))


def sockets(kind):
    if kind == "connection":
        server = listener()
        return [socket.create_connection(server.getsockname())]
    if kind == "datagram":
        return [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
    return [listener() for _ in range({"one": 1, "two": 2}[kind])]


def main():
    kind, program = sys.argv[1], sys.argv[2:]
    # Copies that are out of the way of the numbers that are passed.
    passed = [fcntl.fcntl(each.detach(), fcntl.F_DUPFD_CLOEXEC, 100) for each in sockets(kind)]
    for position, number in enumerate(passed):
        os.dup2(number, FIRST + position, inheritable=True)
    os.environ.update(LISTEN_FDS=str(len(passed)), LISTEN_PID=str(os.getpid()))
    os.execvp(program[0], program)


main()
