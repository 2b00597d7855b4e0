"""The bounded queue of messages that wait for a connection."""

from collections import deque
from typing import Deque, Optional, Union

Message = Union[str, bytes]


class Queue:
    """Messages, bounded in number and in bytes. An empty queue accepts a message of any size."""

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._messages: Deque[Message] = deque()
        #: The size of all messages.
        self.bytes = 0
        self._max_messages, self._max_bytes = max_messages, max_bytes

    def __len__(self) -> int:
        return len(self._messages)

    def is_full(self) -> bool:
        """Return whether nothing more is accepted."""
        return len(self._messages) >= self._max_messages or self.bytes >= self._max_bytes

    def push(self, message: Message) -> bool:
        """Append a message, and return whether there was room for it."""
        size = _size(message)
        if self._messages and (len(self._messages) >= self._max_messages or self.bytes + size > self._max_bytes):
            return False
        self.append(message)
        return True

    def append(self, message: Message) -> None:
        """Append a message, whatever the limits are."""
        self._messages.append(message)
        self.bytes += _size(message)

    def pop(self) -> Optional[Message]:
        """Remove and return the oldest message."""
        if not self._messages:
            return None
        message = self._messages.popleft()
        self.bytes -= _size(message)
        return message


def _size(message: Message) -> int:
    return len(message) if isinstance(message, bytes) or message.isascii() else len(message.encode())
