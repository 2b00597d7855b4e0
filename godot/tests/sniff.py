#!/usr/bin/env python3
"""Captures the beacons on the network of the tests, whatever their port.

    sniff.py PORT...

Exit codes: 0 beacons were broadcast to each of the given ports, 1 timeout.
"""

import socket
import struct
import sys
import time

TIMEOUT = 10  # seconds
ALL_PROTOCOLS = 0x0003
UDP = 17


def destination(frame):
    """Returns the destination address and port of a UDP datagram over IPv4."""
    if frame[12:14] != b"\x08\x00" or frame[23] != UDP:
        return None
    header = 14 + (frame[14] & 0x0F) * 4
    return socket.inet_ntoa(frame[30:34]), struct.unpack("!H", frame[header + 2 : header + 4])[0]


def main():
    missing = {int(port) for port in sys.argv[1:]}
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
    wire.bind(("right", 0))
    wire.settimeout(TIMEOUT)
    end = time.monotonic() + TIMEOUT
    try:
        while missing and time.monotonic() < end:
            frame = wire.recv(2048)
            target = destination(frame)
            if target and target[0] == "255.255.255.255" and b'"service":"websocket_server",' in frame:
                missing.discard(target[1])
    except TimeoutError:
        pass
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
