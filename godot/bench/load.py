"""Generates load on a server for bench.gd.

Uses only the standard library and no WebSocket library: the messages are encoded in advance, so that the benchmark
measures the server and not its client.

    load.py idle  PORT COUNT             connects COUNT clients, outputs "ready", runs until it is killed
    load.py burst PORT COUNT             connects COUNT clients at once, outputs the seconds until all are connected
    load.py late  PORT UNIX_TIME         connects at the given time, outputs the seconds it took
    load.py flood PORT SIZE SECONDS      sends text messages of SIZE bytes as fast as the server reads them
    load.py touches PORT COUNT           moves the stick of a pad, outputs each position in thousandths with its Unix time
    load.py pads PORT COUNT SECONDS      moves the sticks of COUNT pads 60 times a second each, outputs how many messages,
                                         stays connected until it is killed

The output goes to the file named by HALLOO_BENCH_OUTPUT, which appears with its full content.
"""

import json
import os
import random
import selectors
import socket
import sys
import time

REQUEST = (
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TIMEOUT = 60  # seconds


def output(text: object) -> None:
    path = os.environ["HALLOO_BENCH_OUTPUT"]
    with open(path + ".part", "w") as file:
        file.write(f"{text}\n")
    os.replace(path + ".part", path)


def connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(REQUEST.format(port=port).encode())
    response = b""
    while b"\r\n\r\n" not in response:
        part = connection.recv(4096)
        if not part:
            raise ConnectionError(f"refused: {response!r}")
        response += part
    if not response.startswith(b"HTTP/1.1 101"):
        raise ConnectionError(f"refused: {response!r}")
    return connection


def burst(port: int, count: int) -> str:
    """Returns the seconds until all are connected; after a refusal or a timeout, the number of those connected."""
    selector = selectors.DefaultSelector()
    start = time.monotonic()
    connections = []
    for _ in range(count):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", port))
        selector.register(connection, selectors.EVENT_WRITE)
        connections.append(connection)
    waiting = count
    while waiting:
        if time.monotonic() - start > TIMEOUT:
            return f"{count - waiting} after {TIMEOUT}"
        for key, events in selector.select(1):
            connection = key.fileobj
            try:
                if events & selectors.EVENT_WRITE:
                    connection.send(REQUEST.format(port=port).encode())
                    selector.modify(connection, selectors.EVENT_READ)
                elif connection.recv(4096).startswith(b"HTTP/1.1 101"):
                    selector.unregister(connection)
                    waiting -= 1
                else:
                    return f"{count - waiting}, then one was refused"
            except OSError as error:
                return f"{count - waiting}, then {error}"
    return f"{time.monotonic() - start:.3f}"


def text_frame(payload: bytes) -> bytes:
    """Returns a masked text frame. With a mask of zeros, the payload stays as it is."""
    size = len(payload)
    if size < 126:
        head = bytes([0x81, 0x80 | size])
    else:
        head = bytes([0x81, 0x80 | 126]) + size.to_bytes(2, "big")
    return head + bytes(4) + payload


def flood(port: int, size: int, seconds: float) -> None:
    connection = connect(port)
    frame = text_frame(b"x" * size)
    chunk = frame * max(1, 65_536 // len(frame))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        connection.sendall(chunk)


def json_frame(message: object) -> bytes:
    return text_frame(json.dumps(message, separators=(",", ":")).encode())


def join(port: int, name: str) -> socket.socket:
    """Connects a pad and lets it join."""
    connection = connect(port)
    connection.sendall(json_frame({"join": {"name": name}}))
    return connection


def touches(port: int, count: int) -> str:
    pad = join(port, "1")
    time.sleep(0.5)
    lines = []
    for position in range(1, count + 1):
        # At any moment of a frame.
        time.sleep(random.uniform(0.02, 0.05))
        frame = json_frame({"left": [position / 1000, 0]})
        lines.append(f"{position} {time.time():.6f}")
        pad.sendall(frame)
    time.sleep(0.5)
    return "\n".join(lines)


def pads(port: int, count: int, seconds: int) -> None:
    connections = [join(port, str(number)) for number in range(count)]
    time.sleep(0.5)
    messages = count * 60 * seconds
    start = time.monotonic()
    for message in range(messages):
        number = message % count
        time.sleep(max(0.0, start + message / (60 * count) - time.monotonic()))
        x, y = random.uniform(-1, 1), random.uniform(-1, 1)
        if message >= messages - count:
            length = (number**2 + count**2) ** 0.5
            x, y = number / length, count / length
        connections[number].sendall(json_frame({"left": [round(x, 3), round(y, 3)], "a": message // count % 2}))
    output(messages)
    # A pad that has left is at rest.
    time.sleep(TIMEOUT)


def main() -> None:
    kind, port = sys.argv[1], int(sys.argv[2])
    if kind == "idle":
        connections = [connect(port) for _ in range(int(sys.argv[3]))]
        output("ready")
        # Each ping needs a pong, or the server drops the client.
        selector = selectors.DefaultSelector()
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if not key.fileobj.recv(4096):
                    return
                key.fileobj.sendall(b"\x8a\x80" + bytes(4))
    elif kind == "burst":
        output(burst(port, int(sys.argv[3])))
    elif kind == "late":
        time.sleep(max(0.0, float(sys.argv[3]) - time.time()))
        start = time.monotonic()
        connect(port)
        output(time.monotonic() - start)
    elif kind == "touches":
        output(touches(port, int(sys.argv[3])))
    elif kind == "pads":
        pads(port, int(sys.argv[3]), int(sys.argv[4]))
    elif kind == "flood":
        flood(port, int(sys.argv[3]), float(sys.argv[4]))


if __name__ == "__main__":
    main()
