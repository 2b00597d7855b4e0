"""The bytes of one connection: what a connection needs of a socket, or of a transport of asyncio."""

import socket
from typing import Optional, Protocol

from ._drive import Wait

HIGH_WATER = 64 * 1024


class Stream(Protocol):
    """A connected stream of bytes."""

    @property
    def unsent(self) -> int:
        """How many bytes wait to be sent."""

    def write(self, data: bytes) -> None:
        """Append bytes to those that wait to be sent."""

    def flush(self) -> None:
        """Send as much as the network takes at once."""

    def read(self) -> Optional[bytes]:
        """Return what has arrived, ``None`` if it is nothing, or no bytes at the end."""

    async def wait(self, can_read: bool, timeout: float) -> bool:
        """Wait until there is something to read, and return whether there is. It returns early if more can be sent."""

    def close(self) -> None:
        """Close it, without sending what waits."""


class SocketStream:
    """A socket."""

    def __init__(self, one: socket.socket, wait: Wait) -> None:
        self._socket, self._wait = one, wait
        self._out = bytearray()

    @property
    def unsent(self) -> int:
        """How many bytes wait to be sent."""
        return len(self._out)

    def write(self, data: bytes) -> None:
        """Append bytes to those that wait to be sent."""
        self._out += data

    def flush(self) -> None:
        """Send as much as the network takes at once."""
        while self._out:
            try:
                count = self._socket.send(self._out)
            except BlockingIOError:
                return
            except OSError:
                # What the server said before is still to be read.
                self._out.clear()
                return
            del self._out[:count]

    def read(self) -> Optional[bytes]:
        """Return what has arrived."""
        try:
            return self._socket.recv(HIGH_WATER)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    async def wait(self, can_read: bool, timeout: float) -> bool:
        """Wait until there is something to read, or more can be sent."""
        one = [self._socket]
        readable, _ = await self._wait.wait(one if can_read else (), one if self._out else (), timeout)
        return bool(readable)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
