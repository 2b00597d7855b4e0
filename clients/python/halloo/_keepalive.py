"""When to ping, and when a silent server is given up."""

from typing import Optional

SILENT_HEARTBEATS = 3


class Keepalive:
    """The sign of life of one connection. Times are in seconds of any clock."""

    def __init__(self, now: float, heartbeat: float) -> None:
        self._heartbeat = heartbeat
        self._alive, self._resumed = now, now
        self._sent: Optional[float] = None
        self._is_paused = False
        self._is_new = True

    def handle_bytes(self, now: float) -> None:
        """Record that anything arrived."""
        self._alive = now

    def handle_pong(self, now: float) -> None:
        """Record that a pong arrived."""
        self._alive, self._sent = now, None

    def handle_wait(self, now: float, due: float) -> None:
        """Record a wait that should have ended at ``due``. If it was much later, this process did not run: that time proves
        nothing about the server."""
        if now - due > max(self._heartbeat, 0.1) and not self._is_paused:
            self._resumed = now

    def pause(self, is_paused: bool, now: float) -> None:
        """Record whether nothing is read, because the application is slow."""
        if self._is_paused and not is_paused:
            self._resumed = now
        self._is_paused = is_paused

    def poll(self, now: float) -> "tuple[str, float]":
        """Return what to do, ``ping``, ``pong`` or ``dead``, or ``wait`` with the time of the next call."""
        heartbeat = self._heartbeat
        if not heartbeat:
            return "wait", float("inf")
        if self._is_new:
            # It measures the round trip.
            self._is_new, self._sent = False, now
            return "ping", now
        if self._is_paused:
            due = max(self._alive if self._sent is None else self._sent, self._alive) + heartbeat
            if now < due:
                return "wait", due
            self._sent = now
            return "pong", now
        alive = max(self._alive, self._resumed)
        dead_at = alive + SILENT_HEARTBEATS * heartbeat
        if now >= dead_at:
            return "dead", now
        if now < alive + heartbeat:
            return "wait", alive + heartbeat
        if self._sent is not None and self._sent >= alive:
            return "wait", dead_at
        self._sent = now
        return "ping", now
