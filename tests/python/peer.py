#!/usr/bin/env python3
"""Talks to an echoing server the way any Python program would, and prints OK.

Exit codes: 0 everything came back, 1 something did not, 2 wrong usage.
"""

import argparse
import sys

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

TIMEOUT = 10  # seconds for each step

MESSAGES = [
    "hello from python",
    b"\x00\x01",
    "x" * (200 * 1024),  # above the 64 KiB at which small receive buffers give up
]


def shown(message):
    return f"{message[:20]!r} ({len(message)} long)"


def talk(url):
    with connect(url, open_timeout=TIMEOUT, close_timeout=TIMEOUT, proxy=None) as websocket:
        for message in MESSAGES:
            websocket.send(message)
            answer = websocket.recv(timeout=TIMEOUT)
            if answer != message:
                raise ValueError(f"sent {shown(message)}, got {shown(answer)}")
        if not websocket.ping().wait(TIMEOUT):
            raise ValueError("no pong")
        websocket.close(1000)
        if websocket.close_code != 1000:
            raise ValueError(f"closed with {websocket.close_code}, not 1000")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="for example ws://127.0.0.1:8765")
    try:
        talk(parser.parse_args().url)
    except (OSError, ValueError, WebSocketException) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print("OK", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
