#!/usr/bin/env python3
"""Sends what the engine's client cannot send: fragments, NULs, invalid UTF-8, and floods.

    odd_messages.py messages URL        sends messages that must arrive
    odd_messages.py violations URL      breaks rules of the protocol, and checks the close code for each
    odd_messages.py flood URL COUNT     sends the numbers from 0 as fast as the server reads them

Exit codes: 0 success, 1 failure.
"""

import sys

from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

TIMEOUT = 10  # seconds for each step


def opened(url: str) -> ClientConnection:
    return connect(url, open_timeout=TIMEOUT, close_timeout=TIMEOUT, proxy=None, compression=None)


def messages(url: str) -> None:
    with opened(url) as server:
        for text in ["a\0b", "\ufeffbom", "Grüße, 日本, 🎮", ""]:
            server.send(text)
        server.send("x" * 30_000 for _ in range(3))
        # Each character is in two frames, which is allowed.
        server.send((byte.to_bytes(1) for byte in "üüü".encode()), text=True)
        for data in [b"a\0b", b"\xff\xfe", b""]:
            server.send(data)


def violations(url: str) -> None:
    bad = {
        "invalid UTF-8": (1007, [Frame(Opcode.TEXT, b"\xff")]),
        "an incomplete character": (1007, [Frame(Opcode.TEXT, "ü".encode()[:1])]),
        "invalid UTF-8 in a fragment": (1007, [Frame(Opcode.TEXT, b"a", fin=False), Frame(Opcode.CONT, b"\xc3(")]),
        "a continuation frame without a message": (1002, [Frame(Opcode.CONT, b"a")]),
        "a reserved bit": (1002, [b"\xc1\x81" + bytes(4) + b"a"]),
        "an unmasked frame": (1002, [b"\x81\x01a"]),
        "fragments whose total size is too large": (
            1009,
            [Frame(Opcode.BINARY, bytes(600_000), fin=False), Frame(Opcode.CONT, bytes(600_000))],
        ),
    }
    for what, (code, frames) in bad.items():
        server = opened(url)
        try:
            for frame in frames:
                server.socket.sendall(frame if isinstance(frame, bytes) else frame.serialize(mask=True))
            server.recv(timeout=TIMEOUT)
        except ConnectionClosed as closed:
            got = closed.rcvd.code if closed.rcvd else None
            if got != code:
                raise ValueError(f"{what}: closed with {got} instead of {code}") from closed
        except OSError as error:
            raise ValueError(f"{what}: {error}") from error
        else:
            raise ValueError(f"{what}: received a message instead of a close frame")


def flood(url: str, count: int) -> None:
    with opened(url) as server:
        for number in range(count):
            server.send(str(number))


def main() -> int:
    try:
        if sys.argv[1] == "messages":
            messages(sys.argv[2])
        elif sys.argv[1] == "violations":
            violations(sys.argv[2])
        else:
            flood(sys.argv[2], int(sys.argv[3]))
    except (OSError, ValueError, ConnectionClosed) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
