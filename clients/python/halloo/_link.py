"""A connection that lasts: it finds its server, and connects again after a failure."""

import socket
import threading
from typing import Callable, Iterator, Optional, Sequence, Tuple, Union

from ._connection import check_response
from ._drive import BlockingWait, Wait, run_blocking
from ._errors import Closed
from ._options import MAX_BYTES, MAX_MESSAGE_BYTES, MAX_MESSAGES, Event, Options, read_options
from ._queue import Message
from ._search import DISCOVERY_PORT, ServerInfo
from ._session import Session, no_connection_within
from ._state import LinkProperties, LinkState
from ._stream import SocketStream
from ._wait import Waiter

__all__ = ["Event", "Link", "check_response", "connect"]

_JOIN_TIMEOUT = 5.0


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
    stop: Optional[threading.Event] = None,
    on_event: Optional[Callable[[Event], None]] = None,
    local: bool = False,
    discovery_port: int = DISCOVERY_PORT,
) -> "Link":
    """Connect to a server and stay connected to it.

    ``target`` is the name of a server, its id, an address, an invitation link, or what ``discover`` returned. Without it, it
    is the only server on the network.

    Waits for the first connection for at most ``timeout`` seconds; 0 returns at once. The token comes from ``token``, else
    from the link, else from ``HALLOO_TOKEN``. ``max_attempts`` and ``max_elapsed`` limit the attempts in a row without a
    connection of 10 s; the default is no limit. ``queue`` limits the messages, and their bytes, that wait in either
    direction. When ``stop`` is set, the link ends at once, without sending what waits. ``on_event`` is called on the thread
    of the link, so it must not block. ``local`` searches on this machine only.

    Raises ``HallooError`` if it does not connect in time or is refused; the link is closed then.
    """
    link = Link(
        read_options(
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
        ),
        stop,
    )
    if timeout > 0 and not link.wait_connected(timeout):
        reason = link.error or link.last_failure or no_connection_within(timeout)
        link.close()
        raise reason
    return link


class Link(LinkProperties):
    """Made by ``connect``. A context manager, and an iterator of the messages: ``str`` for text, ``bytes`` for binary."""

    def __init__(self, options: Options, stop: Optional[threading.Event]) -> None:
        self._changed = threading.Condition()
        super().__init__(LinkState(options, self._changed))
        self._waiter = Waiter(stop)
        self._session = Session(options, self._shared, BlockingWait(self._waiter), _to_stream)
        self._thread = threading.Thread(target=self._run, name="halloo-link", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> str:
        """Send a text or bytes. Return ``sent``, ``queued`` while there is no connection, or ``full``: then nothing
        happened. Raises ``Closed`` after the end."""
        result = self._shared.send(message)
        if result != "full":
            self._waiter.wake()
        return result

    def recv(self, timeout: Optional[float] = None) -> Message:
        """Return the next message. Raises ``TimeoutError`` if there is none within ``timeout`` seconds, and ``Closed`` when the
        link is closed for good."""
        with self._changed:
            if not self._changed.wait_for(self._shared.has_news, timeout):
                raise TimeoutError(f"no message within {timeout} s")
            message, was_full = self._shared.take()
        if was_full:
            self._waiter.wake()
        return message

    def __iter__(self) -> Iterator[Message]:
        """Yield the messages until the link is closed for good; ``error`` says why."""
        while True:
            try:
                yield self.recv()
            except Closed:
                return

    def wait_connected(self, timeout: Optional[float] = None) -> bool:
        """Wait until there is a connection, and return whether there is one."""
        with self._changed:
            self._changed.wait_for(self._shared.is_settled, timeout)
            return self.state == "connected"

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what waits if there is a connection, close it, and wait for the end of the thread. It does nothing the second
        time."""
        if self._shared.close(code, reason):
            self._waiter.wake()
        else:
            self._waiter.abort()
        if threading.current_thread() is not self._thread:
            self._thread.join(_JOIN_TIMEOUT)
            if self._thread.is_alive():
                # The server accepts nothing.
                self._waiter.abort()
                self._thread.join()

    def __enter__(self) -> "Link":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            run_blocking(self._session.run())
        finally:
            self._waiter.close()


async def _to_stream(one: socket.socket, wait: Wait) -> SocketStream:
    return SocketStream(one, wait)
