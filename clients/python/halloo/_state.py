"""What both kinds of link have in common: the state, and the messages that wait in either direction."""

from typing import ContextManager, Optional, Protocol, Sequence, Tuple

from ._errors import Closed, HallooError
from ._options import Event, Options
from ._queue import Message, Queue
from ._stream import HIGH_WATER


class Changed(ContextManager[object], Protocol):
    """Guards the state and says that it has changed, as ``threading.Condition`` does."""

    def notify_all(self) -> None:
        """End the waits for a change."""


class LinkState:
    """The state of a link. Its connection takes messages from here, and leaves messages here."""

    def __init__(self, options: Options, changed: Changed) -> None:
        self.changed = changed
        self.state = "searching"
        self.url: Optional[str] = None
        self.subprotocol: Optional[str] = None
        self.error: Optional[HallooError] = None
        self.last_failure: Optional[HallooError] = None
        self.lost = 0
        self._outbox, self._inbox = Queue(*options.queue), Queue(*options.queue)
        self._closing: Optional[Tuple[int, str]] = None
        self._on_event = options.on_event

    @property
    def pending(self) -> int:
        """How many messages wait to be sent."""
        return len(self._outbox)

    # For the application.

    def send(self, message: Message) -> str:
        """Append a message to those that wait to be sent."""
        if not isinstance(message, (str, bytes)):
            message = bytes(message)
        with self.changed:
            if self.state == "closed" or self._closing is not None:
                raise self.closed_error()
            if not self._outbox.push(message):
                return "full"
            return "sent" if self.state == "connected" else "queued"

    def is_congested(self) -> bool:
        """Return whether more waits to be sent than a connection takes at once."""
        return self._outbox.is_full() or self._outbox.bytes >= HIGH_WATER

    def has_news(self) -> bool:
        """Return whether ``take`` has a message, or raises ``Closed``."""
        return len(self._inbox) > 0 or self.state == "closed"

    def is_settled(self) -> bool:
        """Return whether there is a connection, or will never be one."""
        return self.state in ("connected", "closed")

    def take(self) -> Tuple[Message, bool]:
        """Return the oldest message that was received, and whether the connection may have stopped reading."""
        was_full = self._inbox.is_full()
        message = self._inbox.pop()
        if message is None:
            raise self.closed_error()
        return message, was_full

    def close(self, code: int, reason: str) -> bool:
        """Ask for the end. Return whether a connection does it."""
        with self.changed:
            if self._closing is None:
                self._closing = (code, reason)
            return self.state == "connected"

    def closed_error(self) -> Closed:
        """Return what a call after the end raises."""
        if isinstance(self.error, Closed):
            return Closed(str(self.error), self.error.code, self.error.reason)
        return Closed(f"the link is closed: {self.error}" if self.error else "the link is closed")

    # For the connection.

    def next_message(self) -> Optional[Message]:
        """Return the next message to send."""
        with self.changed:
            return self._outbox.pop()

    def has_messages(self) -> bool:
        """Return whether there is one."""
        return len(self._outbox) > 0

    def handle_messages(self, messages: Sequence[Message]) -> None:
        """Keep messages for the application. Those that were read together may exceed the limit."""
        with self.changed:
            for message in messages:
                self._inbox.append(message)
            self.changed.notify_all()

    def can_read(self) -> bool:
        """Return whether the application takes messages."""
        return not self._inbox.is_full()

    def closing(self) -> Optional[Tuple[int, str]]:
        """Return the code and the reason to close with when everything was sent."""
        return self._closing

    # For the session.

    def set_state(self, state: str) -> None:
        """Change the state."""
        with self.changed:
            self.state = state
            self.changed.notify_all()

    def handle_connected(self, url: str, subprotocol: Optional[str]) -> None:
        """Record a connection."""
        with self.changed:
            self.state, self.url, self.subprotocol = "connected", url, subprotocol
            self.changed.notify_all()
        self.emit(Event("connected", url=url))

    def handle_end(self, error: Optional[HallooError]) -> None:
        """Record the end of the link, and why, unless the application has asked for it."""
        with self.changed:
            self.error = error if self._closing is None else None
            self.lost += len(self._outbox)
            self.state, self.url = "closed", None
            self.changed.notify_all()
        self.emit(Event("closed", str(error or "")))

    def emit(self, event: Event) -> None:
        """Tell the application what has happened."""
        if self._on_event is not None:
            self._on_event(event)


class LinkProperties:
    """What an application can see of a link at any time."""

    def __init__(self, state: LinkState) -> None:
        self._shared = state

    @property
    def state(self) -> str:
        """``searching``, ``connecting``, ``connected``, ``waiting`` for the next attempt, or ``closed`` for good."""
        return self._shared.state

    @property
    def url(self) -> Optional[str]:
        """The address of the server, while there is a connection."""
        return self._shared.url

    @property
    def subprotocol(self) -> Optional[str]:
        """The subprotocol that the server chose."""
        return self._shared.subprotocol

    @property
    def pending(self) -> int:
        """How many messages wait to be sent."""
        return self._shared.pending

    @property
    def lost(self) -> int:
        """How many messages were dropped when the link was closed."""
        return self._shared.lost

    @property
    def error(self) -> Optional[HallooError]:
        """Why the link is closed for good; ``None`` while it is not, and after ``close``."""
        return self._shared.error

    @property
    def last_failure(self) -> Optional[HallooError]:
        """Why the last attempt failed."""
        return self._shared.last_failure
