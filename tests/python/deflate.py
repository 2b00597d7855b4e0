#!/usr/bin/env python3
"""Talks to a server that compresses and sends every message to all; prints OK.

One connection offers what the library offers by itself, one a window so small that nothing is compressed for it, and one
offers nothing. Exit codes: 0 everything came back, 1 something did not.
"""

import sys

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

TIMEOUT = 10  # seconds for each step

MESSAGES = [
    "short",
    "",
    "wörds and wörds " * 10,
    "wörds and wörds " * 10,  # again: whoever kept a window would refer to the first
    b"\x00\x01" * 50_000,
    bytes(range(256)),
    "x" * (1024 * 1024),
]


def main():
    url = sys.argv[1]
    small = [ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9)]
    options = {"open_timeout": TIMEOUT, "close_timeout": TIMEOUT, "proxy": None, "max_size": None}
    with (
        connect(url, **options) as usual,
        connect(url, compression=None, extensions=small, **options) as modest,
        connect(url, compression=None, **options) as plain,
    ):
        agreed = [[extension.name for extension in peer.protocol.extensions] for peer in (usual, modest, plain)]
        if agreed != [["permessage-deflate"], ["permessage-deflate"], []]:
            raise ValueError(f"agreed on {agreed}")
        for sender in (usual, modest, plain):
            for message in MESSAGES:
                sender.send(message)
                for receiver in (usual, modest, plain):
                    if receiver.recv(timeout=TIMEOUT) != message:
                        raise ValueError(f"something else came back than {message[:20]!r}")
        usual.send(message[:500] for _ in range(3))
        if usual.recv(timeout=TIMEOUT) != message[:1500]:
            raise ValueError("the fragments did not come back whole")
    print("OK", flush=True)


if __name__ == "__main__":
    main()
