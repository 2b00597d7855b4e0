"""When to probe all servers."""

from typing import Callable, Optional

# Five probes in the first 1.2 s find a silent server although a third of all datagrams is lost.
_START = (0.1, 0.2, 0.4, 0.4) + 6 * (0.7,)
# After that, so that a server that appears or vanishes silently is noticed.
_REGULAR = 3.0
# While a server is suspect.
_SUSPECT = 0.5
# One in this many probes, beginning with the first, also goes to the ports that a server falls back to.
_EVERY_WIDE = 5


class Schedule:
    """The schedule of probes to all. ``chance`` returns a random number from 0 to 1."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._next = 0.0
        self._last: Optional[float] = None
        self._sent = 0

    def restart(self, now: float) -> None:
        """Begin anew with the short intervals."""
        self._next, self._sent = self._earliest(now), 0

    def hasten(self, now: float) -> None:
        """Bring the next probe forward, because there is a server to probe."""
        self._next = min(self._next, self._earliest(now))

    def next(self, has_suspect: bool) -> float:
        """Return when the next probe is due."""
        # The first intervals are short enough as they are.
        if self._last is not None and has_suspect and self._sent > len(_START):
            return min(self._next, self._last + _SUSPECT)
        return self._next

    def poll(self, has_suspect: bool, now: float) -> Optional[bool]:
        """Return ``None`` if no probe is due. Otherwise schedule the next one, and return whether this one goes to all
        ports."""
        if now < self.next(has_suspect):
            return None
        is_wide = False
        # A probe because of a suspect server does not count as a scheduled one.
        if now >= self._next:
            interval = _START[self._sent] if self._sent < len(_START) else _REGULAR
            is_wide = self._sent % _EVERY_WIDE == 0
            self._sent += 1
            # So that many clients do not probe at the same time.
            self._next = now + interval * (0.95 + 0.1 * self._chance())
        self._last = now
        return is_wide

    def _earliest(self, now: float) -> float:
        """Return the earliest time for an extra probe, which bounds the rate on a network that changes all the time."""
        return now if self._last is None else max(now, self._last + _SUSPECT)
