"""Waiting and moving bytes in an event loop of asyncio."""

import asyncio
import socket
import time
from typing import Callable, List, Optional, Set, Tuple, cast

from ._drive import Wait
from ._stream import HIGH_WATER
from ._wait import Sockets, ready

# How often sockets are looked at in a loop that cannot watch them, which is the default one on Windows.
_POLL_INTERVAL = 0.01
_LONGEST_TIMER = 3600.0


class LoopWait:
    """Suspends a task. Made in the loop; only one task waits at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: Optional["asyncio.Future[None]"] = None
        self._is_woken = False

    def wake(self) -> None:
        """End the current wait, or the next one, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self.notify)
        except RuntimeError:
            # The loop is closed.
            pass

    def notify(self) -> None:
        """End the current wait, or the next one, from a task or a callback of the loop."""
        self._is_woken = True
        self._end_wait()

    async def sleep(self, timeout: float) -> bool:
        """Wait until it is woken, for at most ``timeout`` seconds. Return whether it was."""
        if self._is_woken or timeout <= 0:
            is_woken, self._is_woken = self._is_woken, False
            await asyncio.sleep(0)
            return is_woken
        self._waiting = self._loop.create_future()
        timer = self._loop.call_later(min(timeout, _LONGEST_TIMER), self._end_wait)
        try:
            await self._waiting
            return self._is_woken
        finally:
            timer.cancel()
            self._waiting, self._is_woken = None, False

    async def wait(self, readers: Sockets, writers: Sockets, timeout: float) -> Tuple[Sockets, Sockets]:
        """Return the sockets that are ready, after at most ``timeout`` seconds, and earlier without any if it is woken."""
        loop = self._loop
        try:
            for one in readers:
                loop.add_reader(one, self._end_wait)
            for one in writers:
                loop.add_writer(one, self._end_wait)
        except NotImplementedError:
            return await self._poll(readers, writers, timeout)
        try:
            await self.sleep(timeout)
            return ready(readers, writers, 0.0)
        finally:
            for one in readers:
                loop.remove_reader(one)
            for one in writers:
                loop.remove_writer(one)

    async def _poll(self, readers: Sockets, writers: Sockets, timeout: float) -> Tuple[Sockets, Sockets]:
        end = time.monotonic() + timeout
        while True:
            found, left = ready(readers, writers, 0.0), end - time.monotonic()
            if any(found) or left <= 0 or await self.sleep(min(left, _POLL_INTERVAL)):
                return found

    def _end_wait(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class TransportStream(asyncio.Protocol):
    """A stream over a transport."""

    def __init__(self, wait: LoopWait) -> None:
        self._wait = wait
        self._transport: Optional[asyncio.Transport] = None
        self._in: List[bytes] = []
        self._out = bytearray()
        self._has_ended = False

    # For the connection.

    @property
    def unsent(self) -> int:
        """How many bytes wait to be sent."""
        transport = self._transport
        return 0 if transport is None or self._has_ended else len(self._out) + transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Append bytes to those that wait to be sent."""
        self._out += data

    def flush(self) -> None:
        """Send as much as the network takes at once."""
        out = self._out
        if out:
            self._out = bytearray()
            if self._transport is not None and not self._transport.is_closing():
                self._transport.write(out)

    def read(self) -> Optional[bytes]:
        """Return what has arrived."""
        if not self._in:
            return b"" if self._has_ended else None
        data = self._in[0] if len(self._in) == 1 else b"".join(self._in)
        self._in.clear()
        return data

    async def wait(self, can_read: bool, timeout: float) -> bool:
        """Wait until there is something to read, or more can be sent."""
        if self._transport is not None and not self._has_ended:
            if can_read:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()
        if not (can_read and (self._in or self._has_ended)):
            await self._wait.sleep(timeout)
        return can_read and (bool(self._in) or self._has_ended)

    def close(self) -> None:
        """Close the transport."""
        if self._transport is not None:
            self._transport.abort()

    # For the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast(asyncio.Transport, transport)
        # So that it says when there is room again, whenever the connection has stopped sending.
        self._transport.set_write_buffer_limits(high=HIGH_WATER - 1)

    def data_received(self, data: bytes) -> None:
        """Keep what has arrived for the connection."""
        self._in.append(data)
        self._wait.notify()

    def eof_received(self) -> bool:
        """Record the end, and keep the transport open for the answer."""
        self._has_ended = True
        self._wait.notify()
        return True

    def connection_lost(self, error: Optional[Exception]) -> None:
        """Record the end."""
        self._has_ended = True
        self._wait.notify()

    def resume_writing(self) -> None:
        """Let the connection send more."""
        self._wait.notify()


async def to_stream(one: socket.socket, wait: Wait) -> TransportStream:
    """Return a stream over a connected socket."""
    assert isinstance(wait, LoopWait)
    stream = TransportStream(wait)
    try:
        await asyncio.get_running_loop().create_connection(lambda: stream, sock=one)
        return stream
    except BaseException:
        stream.close()
        raise


class LoopChanged:
    """Says that a state has changed, as ``threading.Condition`` does, to tasks of one loop. It needs no lock."""

    def __init__(self) -> None:
        self._waiting: Set["asyncio.Future[None]"] = set()

    def __enter__(self) -> "LoopChanged":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def notify_all(self) -> None:
        """End the waits for a change."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def wait_for(self, predicate: Callable[[], bool], timeout: Optional[float]) -> bool:
        """Wait until the predicate is true, for at most ``timeout`` seconds, and return whether it is."""
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + timeout
        while not predicate():
            if end is not None and loop.time() >= end:
                return False
            waiting = loop.create_future()
            timer = None if end is None else loop.call_at(end, _set, waiting)
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)
                if timer is not None:
                    timer.cancel()
        return True


def _set(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
