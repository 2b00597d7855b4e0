"""A connection of the package in memory, to a server that sends what a test gives it."""

import re
from contextlib import suppress
from typing import Any, Dict, List, Optional, Sequence, Tuple
from unittest.mock import patch

from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.utils import accept_key

from halloo import _connection
from halloo._connection import Ask, Connection
from halloo._drive import run_blocking
from halloo._keepalive import Keepalive
from halloo._queue import Message
from halloo._target import read_target

Case = Dict[str, Any]


class _Ended(Exception):
    """The server has sent everything."""


class Server:
    """The stream of the connection, with the server at its other end, and the handler of what it receives."""

    unsent = 0

    def __init__(self, frames: bytes) -> None:
        self.results: List[object] = []
        self._frames, self._input, self._request = frames, b"", b""
        self._protocol = ServerProtocol(state=State.OPEN)

    # The stream.

    def write(self, data: bytes) -> None:
        if not self._request.endswith(b"\r\n\r\n"):
            self._request += data
            key = re.search(rb"Sec-WebSocket-Key: (\S+)\r\n", self._request)
            assert key is not None, self._request
            head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            self._input = f"{head}Sec-WebSocket-Accept: {accept_key(key[1].decode())}\r\n\r\n".encode()
            return
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame) and frame.opcode is Opcode.PONG:
                self.results.append({"answer_with_pong_hex": bytes(frame.data).hex()})

    def flush(self) -> None:
        pass

    def read(self) -> Optional[bytes]:
        data, self._input, self._frames = self._input, self._frames, b""
        return data

    async def wait(self, can_read: bool, timeout: float) -> bool:
        if not self._input:
            raise _Ended
        return True

    def close(self) -> None:
        pass

    # The handler.

    def next_message(self) -> Optional[Message]:
        return None

    def has_messages(self) -> bool:
        return False

    def handle_messages(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.results.append({"text": message} if isinstance(message, str) else {"binary_hex": message.hex()})

    def can_read(self) -> bool:
        return True

    def closing(self) -> Optional[Tuple[int, str]]:
        return None


def receive(case: Case) -> List[object]:
    """Return what the connection makes of the frames of a case in ``vectors/messages.json``."""
    server = Server(bytes.fromhex(case["frames_hex"]))
    connection = Connection(server, case.get("max_message_bytes", 1 << 20))
    url = read_target("ws://127.0.0.1").url
    assert url is not None

    async def run() -> None:
        await connection.open(url, Ask(None, False, None, None, ()), float("inf"))
        await connection.run(server)

    max_fragments = patch.object(_connection, "MAX_FRAGMENTS", case.get("max_fragments", _connection.MAX_FRAGMENTS))
    pong = patch.object(Keepalive, "handle_pong", lambda *_: server.results.append("sign of life"))
    with max_fragments, pong, suppress(_Ended):
        run_blocking(run())
    protocol = connection._protocol
    if protocol.close_rcvd is not None:
        server.results.append({"closed_with": protocol.close_rcvd.code, "reason": protocol.close_rcvd.reason})
    elif protocol.close_sent is not None:
        server.results.append({"close_with": protocol.close_sent.code, "reason": protocol.close_sent.reason})
    return server.results
