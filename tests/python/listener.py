#!/usr/bin/env python3
"""Waits for the beacon of a server on the local network and prints it.

Implements only the documented contract, with the standard library.
Exit codes: 0 a beacon arrived, 1 no beacon arrived in time, 2 invalid usage or the port cannot be bound.
"""

import argparse
import json
import socket
import sys
import time

CONTRACT = {"service": str, "ip": str, "port": int, "timestamp": int}


def is_beacon(message):
    """Returns whether the keys of the contract are there, first, in this order and with these types."""
    return (
        isinstance(message, dict)
        and list(message)[: len(CONTRACT)] == list(CONTRACT)
        and all(type(message[key]) is kind for key, kind in CONTRACT.items())
        and message["service"] == "websocket_server"
    )


def open_socket(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("", port))
    return sock


def listen(sock, timeout, server_port=None):
    """Returns the first beacon, with `server_port` only from that server; None after the timeout."""
    deadline = time.monotonic() + timeout
    while (left := deadline - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            message = json.loads(sock.recv(2048))
        except (TimeoutError, ValueError):
            continue
        if is_beacon(message) and server_port in (None, message["port"]):
            return message
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int, help="UDP port to listen on")
    parser.add_argument("timeout", type=float, help="seconds to wait")
    parser.add_argument("--server-port", type=int, help="wait for the server on this WebSocket port")
    arguments = parser.parse_args()
    try:
        sock = open_socket(arguments.port)
    except OSError as error:
        print(f"cannot listen on UDP port {arguments.port}: {error}", file=sys.stderr)
        return 2
    with sock:
        beacon = listen(sock, arguments.timeout, arguments.server_port)
    if beacon is None:
        print(f"no beacon within {arguments.timeout} s", file=sys.stderr)
        return 1
    print(json.dumps(beacon), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
