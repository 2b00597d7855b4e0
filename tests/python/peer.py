#!/usr/bin/env python3
"""Tests an echo server with the library `websockets`; prints OK.

Exit codes: 0 all messages came back, 1 a message was wrong or missing, 2 invalid usage.
"""

import argparse
import sys

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

TIMEOUT = 10  # seconds per step

MESSAGES = [
    "hello from python",
    b"\x00\x01",
    "x" * (200 * 1024),  # larger than the receive buffers of 64 KiB in some servers
]


def describe(message):
    return f"{message[:20]!r} (length {len(message)})"


def test(url):
    with connect(url, open_timeout=TIMEOUT, close_timeout=TIMEOUT, proxy=None) as websocket:
        for message in MESSAGES:
            websocket.send(message)
            reply = websocket.recv(timeout=TIMEOUT)
            if reply != message:
                raise ValueError(f"sent {describe(message)}, got {describe(reply)}")
        if not websocket.ping().wait(TIMEOUT):
            raise ValueError(f"no pong within {TIMEOUT} s")
        websocket.close(1000)
        if websocket.close_code != 1000:
            raise ValueError(f"closed with {websocket.close_code} instead of 1000")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="for example ws://127.0.0.1:8765")
    try:
        test(parser.parse_args().url)
    except (OSError, ValueError, WebSocketException) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print("OK", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
