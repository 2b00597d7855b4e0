#!/usr/bin/env python3
"""Sees the beacons that leave through the other end of the network of the tests, whatever their port.

Exit codes: 0 beacons went to each of the given ports of everybody, 1 they did not in time.
"""

import socket
import struct
import sys
import time

PATIENCE = 10  # seconds
EVERY_PROTOCOL = 0x0003
UDP = 17


def destination(frame):
    """Address and port a UDP datagram over IPv4 goes to."""
    if frame[12:14] != b"\x08\x00" or frame[23] != UDP:
        return None
    header = 14 + (frame[14] & 0x0F) * 4
    return socket.inet_ntoa(frame[30:34]), struct.unpack("!H", frame[header + 2 : header + 4])[0]


def main():
    missing = {int(port) for port in sys.argv[1:]}
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL))
    wire.bind(("right", 0))
    wire.settimeout(PATIENCE)
    end = time.monotonic() + PATIENCE
    try:
        while missing and time.monotonic() < end:
            frame = wire.recv(2048)
            goal = destination(frame)
            if goal and goal[0] == "255.255.255.255" and b'"service":"websocket_server",' in frame:
                missing.discard(goal[1])
    except TimeoutError:
        pass
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
