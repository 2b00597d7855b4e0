"""Waiting for sockets, which another thread can end at any time."""

import select
import socket
import threading
from typing import Dict, Optional, Sequence, Tuple

# How often an event of the application is looked at.
_STOP_INTERVAL = 0.05
Sockets = Sequence[socket.socket]


class Aborted(Exception):
    """The application has closed the link."""


class Waiter:
    """Waits for sockets until it is woken."""

    def __init__(self, stop: Optional[threading.Event]) -> None:
        self._stop = stop
        self._is_aborted = False
        self._is_waiting, self._is_woken = False, False
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)

    def wake(self) -> None:
        """End the current wait, or the next one."""
        if self._is_woken:
            return
        self._is_woken = True
        # Most of the time, the other thread has not begun to wait, and a system call is slow.
        if not self._is_waiting:
            return
        try:
            self._sender.send(b"\0")
        except OSError:
            # It is full, so the wait ends anyway, or it is closed.
            pass

    def abort(self) -> None:
        """Let the current wait, and all others, raise ``Aborted``."""
        self._is_aborted = True
        self.wake()

    def is_stopped(self) -> bool:
        """Return whether the event of the application is set."""
        return self._stop is not None and self._stop.is_set()

    def wait(self, readers: Sockets, writers: Sockets, timeout: float) -> Tuple[Sockets, Sockets]:
        """Return the sockets that are ready, after at most ``timeout`` seconds, and earlier without any if it is woken."""
        if self._is_aborted or self.is_stopped():
            raise Aborted
        if self._stop is not None:
            timeout = min(timeout, _STOP_INTERVAL)
        self._is_waiting = True
        # Only now, so that either this thread sees that it is woken, or the other one that it waits.
        timeout = 0.0 if self._is_woken else min(max(timeout, 0.0), 3600.0)
        readable, writable = ready([*readers, self._receiver], writers, timeout)
        self._is_waiting = False
        self._is_woken = False
        if self._receiver in readable:
            try:
                self._receiver.recv(4096)
            except OSError:
                pass
        if self._is_aborted or self.is_stopped():
            raise Aborted
        return [one for one in readable if one is not self._receiver], writable

    def close(self) -> None:
        """Release the sockets."""
        self._receiver.close()
        self._sender.close()


def ready(readers: Sockets, writers: Sockets, timeout: float) -> Tuple[Sockets, Sockets]:
    """Return the sockets that are ready, after at most ``timeout`` seconds."""
    if not hasattr(select, "poll"):
        readable, writable, failed = select.select(readers, writers, writers, timeout)
        return readable, writable + failed
    # It has no limit on the numbers of the descriptors.
    poll = select.poll()
    masks: Dict[int, int] = {}
    for sockets, mask in ((readers, select.POLLIN), (writers, select.POLLOUT)):
        for one in sockets:
            masks[one.fileno()] = masks.get(one.fileno(), 0) | mask
    for number, mask in masks.items():
        poll.register(number, mask)
    # Rounded up, so that a time has come when the wait ends.
    events = dict(poll.poll(int(timeout * 1000) + (timeout > 0)))
    broken = select.POLLERR | select.POLLHUP | select.POLLNVAL
    return (
        [one for one in readers if events.get(one.fileno(), 0) & (select.POLLIN | broken)],
        [one for one in writers if events.get(one.fileno(), 0) & (select.POLLOUT | broken)],
    )
