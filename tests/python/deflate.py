#!/usr/bin/env python3
"""Tests a server that compresses messages and sends each to all clients; prints OK.

One connection offers the default extension of the library, one a window so small that the server does not compress, and one
no extension. Exit codes: 0 all messages arrived, 1 a message was wrong or missing.
"""

import sys

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

TIMEOUT = 10  # seconds per step

MESSAGES = [
    "short",
    "",
    "wörds and wörds " * 10,
    "wörds and wörds " * 10,  # again: with context takeover, this would refer to the previous message
    b"\x00\x01" * 50_000,
    bytes(range(256)),
    "x" * (1024 * 1024),
]


def main():
    url = sys.argv[1]
    small = [ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9)]
    options = {"open_timeout": TIMEOUT, "close_timeout": TIMEOUT, "proxy": None, "max_size": None}
    with (
        connect(url, **options) as default,
        connect(url, compression=None, extensions=small, **options) as small_window,
        connect(url, compression=None, **options) as plain,
    ):
        agreed = [[extension.name for extension in peer.protocol.extensions] for peer in (default, small_window, plain)]
        if agreed != [["permessage-deflate"], ["permessage-deflate"], []]:
            raise ValueError(f"the server agreed on {agreed}")
        for sender in (default, small_window, plain):
            for message in MESSAGES:
                sender.send(message)
                for receiver in (default, small_window, plain):
                    if receiver.recv(timeout=TIMEOUT) != message:
                        raise ValueError(f"another message arrived instead of {message[:20]!r}")
        default.send(message[:500] for _ in range(3))
        if default.recv(timeout=TIMEOUT) != message[:1500]:
            raise ValueError("the fragmented message did not arrive complete")
    print("OK", flush=True)


if __name__ == "__main__":
    main()
