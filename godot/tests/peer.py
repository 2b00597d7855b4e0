#!/usr/bin/env python3
"""Finds a server by its beacon, like the clients of the script, and expects it to echo messages.

    peer.py FILE                        creates FILE when it listens

Exit codes: 0 all messages were echoed, 1 failure.
"""

import json
import socket
import sys
from pathlib import Path

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

TIMEOUT = 10  # seconds for each step
MESSAGES = ["hello from python", "", "Grüße, 日本, 🎮", "x" * 30_000]


def find(listening):
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.settimeout(TIMEOUT)
    listener.bind(("", 8766))
    listening.touch()
    while True:
        beacon = json.loads(listener.recv(2048))
        if beacon.get("service") == "websocket_server":
            return f"ws://{beacon['ip']}:{beacon['port']}"


def talk(url):
    with connect(url, open_timeout=TIMEOUT, close_timeout=TIMEOUT, proxy=None, compression=None) as websocket:
        for message in MESSAGES:
            websocket.send(message)
            response = websocket.recv(timeout=TIMEOUT)
            if response != message:
                raise ValueError(f"sent {len(message)} characters, received {len(response)} different ones")
        if not websocket.ping().wait(TIMEOUT):
            raise ValueError("no pong")


def main():
    try:
        talk(find(Path(sys.argv[1])))
    except (OSError, ValueError, WebSocketException) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
