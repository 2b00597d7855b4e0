"""When to ping, and when a silent server is given up."""

SILENT_HEARTBEATS = 3


class Keepalive:
    """The sign of life of one connection. Times are milliseconds of any clock."""

    def __init__(self, now, heartbeat=5000):
        self._heartbeat, self._due = heartbeat, now
        self._alive = self._resumed = now
        self._sent = None
        self._is_paused = False

    def received(self, now):
        """Record that anything arrived."""
        self._alive = now

    def pong(self, now):
        """Record that a pong arrived."""
        self._alive, self._sent = now, -1

    def pause(self, is_paused, now):
        """Record whether nothing is read, because the application is slow."""
        if self._is_paused and not is_paused:
            self._resumed = now
        self._is_paused = is_paused

    def wake(self, now):
        """Record that the program runs. If it is much later than it had to, it did not run before: that time proves nothing."""
        if now - self._due > self._heartbeat and not self._is_paused:
            self._resumed = now

    def poll(self, now):
        """Return "ping", "pong" or "dead", or None until the next call is due."""
        alive = self._alive if self._is_paused else max(self._alive, self._resumed)
        dead_at = alive + SILENT_HEARTBEATS * self._heartbeat
        if self._sent is None:
            # The first one measures the round trip.
            self._due = now
        elif self._is_paused:
            self._due = max(alive, self._sent) + self._heartbeat
        elif now >= dead_at:
            return "dead"
        else:
            self._due = dead_at if self._sent >= alive else alive + self._heartbeat
        if now < self._due:
            return None
        self._sent = now
        return "pong" if self._is_paused else "ping"
