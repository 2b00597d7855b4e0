"""The same as ``halloo.connect``, ``discover`` and ``find``, for asyncio.

>>> import halloo.aio
>>> async def main():
...     async with halloo.aio.connect("living-room") as link:
...         await link.send("hello")
...         async for message in link:
...             print(message)
"""

import asyncio
from typing import Any, Callable, Generator, List, Optional, Sequence, Tuple, Union

from ._errors import Closed
from ._loop import LoopChanged, LoopWait, to_stream
from ._options import MAX_BYTES, MAX_MESSAGE_BYTES, MAX_MESSAGES, Event, Options, read_options
from ._queue import Message
from ._search import DISCOVERY_PORT, Search, ServerInfo
from ._session import Session, no_connection_within
from ._state import LinkProperties, LinkState

__all__ = ["Link", "connect", "discover", "find"]

_CLOSE_TIMEOUT = 5.0


async def discover(
    timeout: float = 3.0, *, app: Optional[str] = None, local: bool = False, port: int = DISCOVERY_PORT
) -> List[ServerInfo]:
    """Return the servers that are found within ``timeout`` seconds, as ``halloo.discover`` does."""
    search = Search(app, port, local, LoopWait())
    await search.run(timeout, lambda servers: None)
    return search.servers


async def find(
    name: str, timeout: float = 3.0, *, app: Optional[str] = None, local: bool = False, port: int = DISCOVERY_PORT
) -> List[ServerInfo]:
    """Return the servers with this name or id, as ``halloo.find`` does."""
    found, _ = await Search(app, port, local, LoopWait()).find(name, timeout)
    return found


def connect(
    target: Union[str, ServerInfo, None] = None,
    *,
    token: Optional[str] = None,
    fingerprint: Optional[str] = None,
    room: Optional[str] = None,
    subprotocols: Sequence[str] = (),
    app: Optional[str] = None,
    timeout: float = 10.0,
    search_timeout: float = 3.0,
    reconnect: bool = True,
    max_attempts: Optional[int] = None,
    max_elapsed: Optional[float] = None,
    queue: Tuple[int, int] = (MAX_MESSAGES, MAX_BYTES),
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    stop: Optional[asyncio.Event] = None,
    on_event: Optional[Callable[[Event], None]] = None,
    local: bool = False,
    discovery_port: int = DISCOVERY_PORT,
) -> "Connecting":
    """Connect to a server and stay connected to it: ``async with connect(...) as link``, or ``link = await connect(...)``.

    The options are those of ``halloo.connect``. ``stop`` is an ``asyncio.Event``; cancelling works as well. ``on_event`` is
    called in the event loop, so it must not block.
    """
    options = read_options(
        target,
        token=token,
        fingerprint=fingerprint,
        room=room,
        subprotocols=subprotocols,
        app=app,
        search_timeout=search_timeout,
        reconnect=reconnect,
        max_attempts=max_attempts,
        max_elapsed=max_elapsed,
        queue=queue,
        max_message_bytes=max_message_bytes,
        on_event=on_event,
        local=local,
        discovery_port=discovery_port,
    )
    return Connecting(options, timeout, stop)


class Connecting:
    """Made by ``connect``: awaited, or used with ``async with``, it is a ``Link``."""

    def __init__(self, options: Options, timeout: float, stop: Optional[asyncio.Event]) -> None:
        self._options, self._timeout, self._stop = options, timeout, stop
        self._link: Optional[Link] = None

    def __await__(self) -> Generator[Any, None, "Link"]:
        return self._connect().__await__()

    async def __aenter__(self) -> "Link":
        self._link = await self._connect()
        return self._link

    async def __aexit__(self, *_: object) -> None:
        if self._link is not None:
            await self._link.close()

    async def _connect(self) -> "Link":
        link = Link(self._options, self._stop)
        try:
            if self._timeout > 0 and not await link.wait_connected(self._timeout):
                raise link.error or link.last_failure or no_connection_within(self._timeout)
        except BaseException:
            await link.abort()
            raise
        return link


class Link(LinkProperties):
    """Made by ``connect``. An asynchronous context manager, and an asynchronous iterator of the messages: ``str`` for text,
    ``bytes`` for binary. Its methods are called in the event loop in which it was made."""

    def __init__(self, options: Options, stop: Optional[asyncio.Event]) -> None:
        self._changed = LoopChanged()
        super().__init__(LinkState(options, self._changed))
        self._wait = LoopWait()
        session = Session(options, self._shared, self._wait, to_stream)
        self._task = asyncio.get_running_loop().create_task(session.run(), name="halloo-link")
        if stop is not None:
            stopper = asyncio.get_running_loop().create_task(self._cancel_when(stop), name="halloo-stop")
            self._task.add_done_callback(lambda _: stopper.cancel())

    async def send(self, message: Message) -> str:
        """Send a text or bytes. Return ``sent``, ``queued`` while there is no connection, or ``full``: then nothing
        happened. Raises ``Closed`` after the end.

        It does not wait for the network. When much is queued, it lets other tasks run, so that some of it can be sent.
        """
        result = self._shared.send(message)
        self._wait.notify()
        if self._shared.is_congested():
            await asyncio.sleep(0)
        return result

    async def recv(self, timeout: Optional[float] = None) -> Message:
        """Return the next message. Raises ``TimeoutError`` if there is none within ``timeout`` seconds, and ``Closed`` when the
        link is closed for good."""
        if not self._shared.has_news() and not await self._changed.wait_for(self._shared.has_news, timeout):
            raise TimeoutError(f"no message within {timeout} s")
        message, was_full = self._shared.take()
        if was_full:
            self._wait.notify()
        return message

    def __aiter__(self) -> "Link":
        """Iterate over the messages until the link is closed for good; ``error`` says why."""
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.recv()
        except Closed:
            raise StopAsyncIteration from None

    async def wait_connected(self, timeout: Optional[float] = None) -> bool:
        """Wait until there is a connection, and return whether there is one."""
        await self._changed.wait_for(self._shared.is_settled, timeout)
        return self.state == "connected"

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what waits if there is a connection, and close it. It does nothing the second time. When it is cancelled, it
        sends nothing more."""
        try:
            if self._shared.close(code, reason):
                self._wait.notify()
                await asyncio.wait({self._task}, timeout=_CLOSE_TIMEOUT)
        finally:
            await self.abort()

    async def abort(self) -> None:
        """End the link at once, without sending what waits."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def __aenter__(self) -> "Link":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _cancel_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._task.cancel()
