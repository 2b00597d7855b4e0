"""The bounded queue of messages."""


class Queue:
    """Messages, bounded in number and in bytes. An empty queue accepts a message of any size."""

    def __init__(self, max_messages, max_bytes):
        self._messages, self._bytes = [], 0
        self._max_messages, self._max_bytes = max_messages, max_bytes

    def __len__(self):
        return len(self._messages)

    def has_room(self, size=0):
        is_below = len(self._messages) < self._max_messages and self._bytes + size <= self._max_bytes
        return is_below or not self._messages

    def push(self, message):
        """Append a str or bytes, and return whether there was room for it."""
        size = len(message.encode() if isinstance(message, str) else message)
        if not self.has_room(size):
            return False
        self._messages.append((message, size))
        self._bytes += size
        return True

    def pop(self):
        """Remove and return the oldest message."""
        message, size = self._messages.pop(0)
        self._bytes -= size
        return message
