"""The frames of a connection (RFC 6455 section 5)."""

import os

from ._errors import HallooError
from ._text import is_utf8

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode, data):
    """Return a masked frame."""
    size, mask = len(data), os.urandom(4)
    head = bytes((0x80 | opcode, 0x80 | (size if size < 126 else 126 if size < 65536 else 127)))
    head += b"" if size < 126 else size.to_bytes(2 if size < 65536 else 8, "big")
    # All bytes at once, as one number: a loop over them takes ten times as long.
    stream = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return head + mask + (int.from_bytes(data, "big") ^ stream).to_bytes(size, "big")


class Receiver:
    """Turns the bytes of a server into messages and control frames. Raises HallooError with the code to close with."""

    def __init__(self, max_bytes, max_fragments=1024):
        self._max_bytes, self._max_fragments = max_bytes, max_fragments
        self._bytes = b""
        self._opcode, self._message, self._fragments = CONTINUATION, b"", 0

    def push(self, data):
        self._bytes += data

    def next(self):
        """Return opcode and content, or None until more has arrived. The content of a close frame is its code and reason."""
        while len(self._bytes) > 1:
            head = self._read_head()
            if head is None or len(self._bytes) < head[1] + head[2]:
                return None
            opcode, start, size = head
            is_last = self._bytes[0] & 0x80
            data, self._bytes = self._bytes[start:start + size], self._bytes[start + size:]
            if opcode >= CLOSE:
                return opcode, _read_close(data) if opcode == CLOSE else data
            self._opcode, self._message = self._opcode or opcode, self._message + data
            self._fragments += 1
            if self._fragments > self._max_fragments:
                raise HallooError(f"a message has at most {self._max_fragments} fragments", 1008)
            if is_last:
                opcode, data = self._opcode, self._message
                self._opcode, self._message, self._fragments = CONTINUATION, b"", 0
                return opcode, _text(data) if opcode == TEXT else data
        return None

    def _read_head(self):
        """Return the opcode, where the content starts, and its size; or None until the head is complete."""
        first, size = self._bytes[0], self._bytes[1]
        opcode = first & 0x0F
        if first & 0x70 or opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG) or size & 0x80:
            raise HallooError("the frame is invalid", 1002)
        if opcode >= CLOSE and (not first & 0x80 or size > 125):
            raise HallooError("the control frame is fragmented or too long", 1002)
        if opcode < CLOSE and (opcode == CONTINUATION) != (self._opcode != CONTINUATION):
            raise HallooError("the frame continues nothing, or interrupts a message", 1002)
        start = 2 + {126: 2, 127: 8}.get(size, 0)
        if len(self._bytes) < start:
            return None
        if start > 2:
            size = int.from_bytes(self._bytes[2:start], "big")
            if size < (126 if start == 4 else 65536) or size >> 63:
                raise HallooError("the length is invalid", 1002)
        if opcode < CLOSE and len(self._message) + size > self._max_bytes:
            raise HallooError(f"the message is larger than the client's limit of {self._max_bytes} bytes", 1009)
        return opcode, start, size


def _text(data):
    if not is_utf8(data):
        raise HallooError("the text is not UTF-8", 1007)
    return str(data, "utf-8")


def _read_close(data):
    code = int.from_bytes(data[:2], "big") if data else 1005
    if len(data) == 1 or data and not (1000 <= code < 1004 or 1007 <= code < 1015 or 3000 <= code < 5000):
        raise HallooError("the close frame is invalid", 1002)
    return code, _text(data[2:])
